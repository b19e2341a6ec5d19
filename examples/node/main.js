// Calls graphgate with nothing but its address: every message type comes from server reflection.
//   npm install && node main.js 127.0.0.1:50051
import grpc from "@grpc/grpc-js";
import { GrpcReflection } from "grpc-js-reflection-client";

const ADA = "00000000-0000-4000-8000-000000000001";
const CHARLES = "00000000-0000-4000-8000-000000000002";
const [address, credentials] = [process.argv[2], grpc.credentials.createInsecure()];
const client = new grpc.Client(address, credentials);
const reflection = new GrpcReflection(address, credentials, {}, "v1");

// A message type or service, with all that it refers to.
async function find(symbol) {
  const file = await reflection.getDescriptorBySymbol(symbol);
  return file.getProtobufJsRoot().lookup(symbol);
}

const encode = (type) => (message) => Buffer.from(type.encode(type.fromObject(message)).finish());
const decode = (type) => (bytes) => type.toObject(type.decode(bytes), { longs: String, enums: String });

// The google.rpc.Status of a failed call, its details decoded by the type that each one names.
async function statusOf(error) {
  const [trailer] = error.metadata.get("grpc-status-details-bin");
  if (!trailer) throw error;
  const status = decode(await find("google.rpc.Status"))(trailer);
  for (const detail of status.details) {
    detail.value = decode(await find(detail.typeUrl.split("/").pop()))(detail.value);
  }
  return status;
}

async function call(service, method, request) {
  const rpc = (await find(`graphgate.v1.${service}`)).methods[method].resolve();
  const path = `/graphgate.v1.${service}/${method}`;
  const [write, read] = [encode(rpc.resolvedRequestType), decode(rpc.resolvedResponseType)];
  const answer = new Promise((resolve, reject) =>
    client.makeUnaryRequest(path, write, read, request, { deadline: Date.now() + 10_000 }, (error, message) =>
      error ? reject(error) : resolve(message),
    ),
  );
  console.log(`${method}: ${JSON.stringify(await answer.catch(statusOf))}`);
}

console.log("services:", (await reflection.listServices()).join(" "));
await call("GraphService", "WriteGraph", {
  group_id: "node",
  embedding_model: "toy-4d",
  entities: [
    { uuid: ADA, name: "Ada Lovelace", embedding: [1, 0, 0, 0],
      attributes: { born: { scalar: { int64_value: 1815 } } } },
    { uuid: CHARLES, name: "Charles Babbage", embedding: [0, 1, 0, 0] },
  ],
  facts: [{ source_uuid: ADA, target_uuid: CHARLES, name: "WORKED_WITH", fact: "Ada worked with Charles",
    valid_at: { seconds: Date.UTC(1833, 5, 5) / 1000 }, embedding: [1, 1, 0, 0] }],
});
await call("GraphService", "GetEntity", { group_id: "node", uuid: ADA, with_embedding: true });
await call("GraphService", "ListFacts", { group_id: "node", entity_uuid: ADA });
await call("IngestService", "AddEpisode", { group_id: "node", mode: "EXTRACTION_MODE_PROVIDED",
  embedding_model: "toy-4d", mentioned_entity_uuids: [ADA],
  episode: { content: "Ada published note G.", embedding: [1, 0, 1, 0] } });
await call("SearchService", "Search", { group_id: "node", query_vector: [1, 0, 0, 0],
  results: ["ENTITY", "FACT", "EPISODE"].map((kind) => ({ kind: `ROW_KIND_${kind}` })) });
await call("GraphService", "ListGroups", {});
await call("GraphService", "DeleteEntities", { group_id: "node", uuids: [ADA, CHARLES] });
await call("GraphService", "WriteGraph", { group_id: "no spaces", entities: [{ uuid: "x" }] });
