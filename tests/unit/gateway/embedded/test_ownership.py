"""Records and locks that tell who works in a directory."""

import os
from pathlib import Path

import psutil
import pytest

from gateway.embedded.errors import DirectoryInUseError
from gateway.embedded.ownership import (
    DataDirectoryLock,
    EngineRecord,
    find_orphan,
    forget_record,
    living_process,
    read_record,
    record_owned_by_this_process,
    stop_orphan,
    write_record,
)


def test_a_record_is_read_back_and_forgotten(tmp_path: Path):
    """What one gateway writes the next one reads."""
    record = EngineRecord(1, 2.5, 3, 4.25)
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    forget_record(tmp_path)
    assert read_record(tmp_path) is None
    forget_record(tmp_path)


@pytest.mark.parametrize("text", ["", "17", "[]", "{}", '{"owner_pid": 1}', "\x00"])
async def test_a_record_that_is_none_of_ours_names_nobody(tmp_path: Path, text: str):
    """Damage never leads to a signal to some process."""
    (tmp_path / "engine.pid").write_text(text)
    assert read_record(tmp_path) is None
    assert await stop_orphan(tmp_path, 1.0) is None


def test_a_process_is_known_by_pid_and_start_time():
    """A pid alone may be a later process's."""
    me = psutil.Process()
    assert living_process(me.pid, me.create_time()) == me
    assert living_process(me.pid, me.create_time() - 60.0) is None


def test_the_record_of_a_start_names_its_owner():
    """Before the engine's pid is known the record tells for whom it is started."""
    me = psutil.Process()
    assert record_owned_by_this_process(None) == EngineRecord(me.pid, me.create_time())


def test_a_dead_engine_is_no_orphan(tmp_path: Path):
    """A record that outlived its engine stops nobody and refuses nobody."""
    write_record(tmp_path, EngineRecord(os.getpid(), psutil.Process().create_time(), 2**22 + 1, 1.0))
    assert find_orphan(tmp_path) is None


def test_the_lock_excludes_names_its_holder_and_ends(tmp_path: Path):
    """One gateway at a time has a data directory."""
    first, second = DataDirectoryLock(tmp_path), DataDirectoryLock(tmp_path)
    first.acquire()
    with pytest.raises(DirectoryInUseError) as failure:
        second.acquire()
    assert failure.value.pid == os.getpid()
    first.release()
    first.release()
    second.acquire()
    second.release()
