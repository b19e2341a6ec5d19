"""Every engine does what the model does, whatever calls are made in whatever order.

GRAPHGATE_EXAMPLES=20 runs twenty times as many programs, other ones every time; a failing program is printed
with the line that reproduces it (`@reproduce_failure`), a run with `--hypothesis-seed`.
"""

import itertools
import os
import secrets

import pytest
from hypothesis import HealthCheck, given, note, settings

from drivers.contract import ShardDriver
from drivers.fence import POOLED, Fence, FenceState, GroupRef
from tests.contract.machine import Machine
from tests.contract.programs import Step, programs
from tests.contract.tenant import Tenant, soon
from tests.model_driver import ModelDriver

EXAMPLES = 25
FACTOR = int(os.environ.get("GRAPHGATE_EXAMPLES", "1"))
SPACES = (POOLED, "programs")

_run = secrets.token_hex(4)
_numbers = itertools.count()


async def _machine(driver: ShardDriver, number: int) -> Machine:
    """Groups with names that only this program has, in a pooled space and in a dedicated one."""
    tenants: list[Tenant] = []
    for n, space in enumerate(SPACES):
        ref = GroupRef(f"program-{_run}-{number}-{n}", space)
        await driver.create_fence(Fence(ref.group_id, 1, FenceState.OPEN, space=space), soon())
        tenants.append(Tenant(driver, ref))
    machine = Machine(tenants)
    await machine.begin()
    return machine


@pytest.mark.parametrize("subject", ["falkordb", "neo4j"], indirect=True)
@pytest.mark.timeout(300 * FACTOR)
@settings(
    max_examples=EXAMPLES * FACTOR,
    deadline=None,
    derandomize=FACTOR == 1,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(program=programs(len(SPACES)))
async def test_any_program_has_the_same_answers_as_on_the_model(
    driver: ShardDriver, program: list[Step]
) -> None:
    """Every answer of every call, and the whole state at the end, equal those of the contract's model."""
    number = next(_numbers)
    real, model = await _machine(driver, number), await _machine(ModelDriver("model"), number)
    for step in program:
        note(f"{step}")
        assert await real.run(step) == await model.run(step)
    assert await real.settle() == await model.settle()
