"""What the server lists is told by the names of the rules."""

from neo4j import AsyncDriver

from drivers.neo4j import Neo4jDriver
from drivers.neo4j.schema_rules import RULES
from tests.contract.neo4j_specific.conftest import ask
from tests.contract.tenant import soon
from tests.eventually import eventually


async def test_every_rule_is_listed_by_its_name(neo4j: Neo4jDriver) -> None:
    """The report has each rule once, by engine-neutral names, and the engine's version and edition."""
    report = await neo4j.describe_schema(soon())
    names = [item.name for item in report.items if item.state == "READY"]
    assert names == [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert {
        "unique:ENTITY(pk)",
        "unique:_Fence(group_id)",
        "range:FACT(group_id,version)",
        "range:EPISODE(group_id,created_at)",
        "fulltext:COMMUNITY(terms,group_key)",
    } <= set(names)
    assert report.engine_version == "5.26.12 community"


async def test_an_index_of_someone_else_is_extra(neo4j: Neo4jDriver, beside: AsyncDriver) -> None:
    """An index that graphgate does not know is named, harms nothing and is not dropped with the schema."""
    await ask(beside, "CREATE INDEX somebodys FOR (n:Entity) ON (n.name)")
    try:
        report = await neo4j.describe_schema(soon())
        (extra,) = [item for item in report.items if item.state == "EXTRA"]
        assert (extra.name, extra.detail) == ("range:ENTITY(name)", "somebodys")
        assert all(item.state in ("READY", "EXTRA") for item in report.items)
    finally:
        await ask(beside, "DROP INDEX somebodys")


async def test_a_fulltext_index_with_another_analyzer_is_failed(
    neo4j: Neo4jDriver, beside: AsyncDriver
) -> None:
    """It would split or fold the tokens: keyword search would be wrong without a sign."""
    (rule,) = [rule for rule in RULES if rule.name == "fulltext:COMMUNITY(terms,group_key)"]
    await ask(beside, f"DROP INDEX {rule.engine_name}")
    try:
        await ask(beside, rule.create.replace("whitespace", "english"))
        report = await neo4j.describe_schema(soon())
        (item,) = [item for item in report.items if item.name == rule.name]
        assert item.state == "FAILED"
        assert "english" in item.detail
        assert not report.ready
    finally:
        await ask(beside, f"DROP INDEX {rule.engine_name}")
        await neo4j.ensure_schema(soon())

    async def whole() -> bool:
        return (await neo4j.describe_schema(soon())).ready

    await eventually(whole)
