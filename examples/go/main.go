// Calls graphgate with nothing but its address: every message type comes from server reflection.
//
//	go mod init example && go get github.com/jhump/protoreflect/v2@v2.0.0-beta.2 && go mod tidy
//	go run . 127.0.0.1:50051
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/jhump/protoreflect/v2/grpcreflect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

const ada, charles = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	defer conn.Close()
	reflection := grpcreflect.NewClientAuto(ctx, conn)
	defer reflection.Reset()
	api := reflection.AsResolver()
	format := protojson.MarshalOptions{Resolver: api.AsTypeResolver()}

	// Sends a request given as JSON; answers and errors, their details too, are printed as JSON.
	call := func(service, method, request string) {
		found, err := api.FindDescriptorByName(protoreflect.FullName("graphgate.v1." + service + "." + method))
		check(err)
		rpc := found.(protoreflect.MethodDescriptor)
		in, out := dynamicpb.NewMessage(rpc.Input()), dynamicpb.NewMessage(rpc.Output())
		check(protojson.Unmarshal([]byte(request), in))
		if err := conn.Invoke(ctx, "/graphgate.v1."+service+"/"+method, in, out); err != nil {
			fmt.Printf("%s: %s\n", method, format.Format(status.Convert(err).Proto()))
			return
		}
		fmt.Printf("%s: %s\n", method, format.Format(out))
	}

	services, err := reflection.ListServices()
	check(err)
	fmt.Println("services:", services)
	call("GraphService", "WriteGraph", `{"group_id": "go", "embedding_model": "toy-4d", "entities": [
		{"uuid": "`+ada+`", "name": "Ada Lovelace", "embedding": [1, 0, 0, 0],
			"attributes": {"born": {"scalar": {"int64_value": 1815}}}},
		{"uuid": "`+charles+`", "name": "Charles Babbage", "embedding": [0, 1, 0, 0]}],
		"facts": [{"source_uuid": "`+ada+`", "target_uuid": "`+charles+`", "name": "WORKED_WITH",
			"fact": "Ada worked with Charles", "valid_at": "1833-06-05T00:00:00Z", "embedding": [1, 1, 0, 0]}]}`)
	call("GraphService", "GetEntity", `{"group_id": "go", "uuid": "`+ada+`", "with_embedding": true}`)
	call("GraphService", "ListFacts", `{"group_id": "go", "entity_uuid": "`+ada+`"}`)
	call("IngestService", "AddEpisode", `{"group_id": "go", "mode": "EXTRACTION_MODE_PROVIDED",
		"embedding_model": "toy-4d", "mentioned_entity_uuids": ["`+ada+`"],
		"episode": {"content": "Ada published note G.", "embedding": [1, 0, 1, 0]}}`)
	call("SearchService", "Search", `{"group_id": "go", "query_vector": [1, 0, 0, 0],
		"results": [{"kind": "ROW_KIND_ENTITY"}, {"kind": "ROW_KIND_FACT"}, {"kind": "ROW_KIND_EPISODE"}]}`)
	call("GraphService", "ListGroups", `{}`)
	call("GraphService", "DeleteEntities", `{"group_id": "go", "uuids": ["`+ada+`", "`+charles+`"]}`)
	call("GraphService", "WriteGraph", `{"group_id": "no spaces", "entities": [{"uuid": "x"}]}`)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
