"""What an engine promises: the one in memory and Podman alike.

What only a kernel can promise is in test_podman.py.
"""

import os
import socket
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

import pytest

from agent_session.engine.command import ExecResult
from agent_session.engine.container import Mount
from agent_session.engine.errors import NameTaken
from agent_session.engine.published import Published
from agent_session.errors import BuildFailed, ConflictError, EngineRefused, NotFoundError
from tests.contract.conftest import Bench

HOME = PurePosixPath("/home/agent")


def volume(name: str) -> Mount:
    return Mount(kind="volume", source=name, target=HOME)


def test_a_container_is_made_stopped(bench: Bench) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    name = bench.created()
    container = bench.engine.container(name)
    assert container
    assert (container.name, container.image, container.running, container.started) == (
        name,
        bench.image,
        False,
        None,
    )
    assert before <= container.created <= datetime.now(UTC)


def test_a_container_runs_from_start_to_stop(bench: Bench) -> None:
    name = bench.running()
    started = bench.engine.container(name)
    assert started
    assert started.running
    assert started.started
    assert started.ended is None
    assert abs(datetime.now(UTC) - started.started) < timedelta(minutes=1)
    bench.engine.stop(name)
    stopped = bench.engine.container(name)
    assert stopped
    assert not stopped.running
    assert stopped.ended
    assert started.started <= stopped.ended <= datetime.now(UTC)
    bench.engine.start(name)
    again = bench.engine.container(name)
    assert again
    assert again.ended is None


def test_only_a_running_container_has_a_first_process(bench: Bench) -> None:
    name = bench.created()
    seen = [bench.engine.container(name)]
    for change in (bench.engine.start, bench.engine.stop):
        change(name)
        seen.append(bench.engine.container(name))
    pids = [container.pid if container else None for container in seen]
    assert pids[1]
    assert pids == [None, pids[1], None]


def test_nobody_has_the_root_of_a_container_that_is_not_there(bench: Bench) -> None:
    container = bench.engine.container(bench.running())
    assert container
    assert container.pid
    bench.engine.stop(container.name)
    assert bench.engine.local
    assert bench.engine.local.open_root(container.id, container.pid) is None
    assert bench.engine.local.open_root("0" * 64, os.getpid()) is None


def test_a_container_can_be_started_again(bench: Bench) -> None:
    name = bench.running()
    bench.engine.stop(name)
    bench.engine.start(name)
    container = bench.engine.container(name)
    assert container
    assert container.running


def test_starting_stopping_and_removing_twice_is_fine(bench: Bench) -> None:
    name = bench.running()
    bench.engine.start(name)
    for _ in range(2):
        bench.engine.stop(name)
    for _ in range(2):
        bench.engine.remove(name)
    assert bench.engine.container(name) is None


def test_removing_ends_a_running_container(bench: Bench) -> None:
    name = bench.running()
    bench.engine.remove(name)
    assert bench.engine.container(name) is None


def test_a_container_that_is_not_there_is_not_found(bench: Bench) -> None:
    missing = f"{bench.prefix}-missing"
    assert bench.engine.container(missing) is None
    with pytest.raises(NotFoundError):
        bench.engine.start(missing)
    with pytest.raises(NotFoundError):
        bench.engine.stop(missing)


def test_only_volumes_that_carry_the_label_are_listed(bench: Bench) -> None:
    mine, other = bench.volume(), bench.volume()
    bench.engine.create_volume(mine, {bench.label: "yes", "odd": 'a=b, "c"'})
    bench.engine.create_volume(other, {f"{bench.label}-other": "yes"})
    assert bench.engine.volumes(bench.label) == {mine: {bench.label: "yes", "odd": 'a=b, "c"'}}
    assert {mine, other} <= bench.engine.volumes("").keys()
    bench.engine.remove_volume(mine)
    assert bench.engine.volumes(bench.label) == {}


def test_a_container_can_be_told_as_commands_and_is_not_made(bench: Bench) -> None:
    spec = bench.spec(volume(f"{bench.prefix}-home"))
    *volumes, run = bench.engine.equivalent_commands(spec)
    assert [words[-1] for words in volumes] == [f"{bench.prefix}-home"]
    assert f"--name={spec.name}" in run[run.index("run") :]
    assert run[-1] == spec.image
    assert bench.engine.container(spec.name) is None
    assert bench.engine.volume_labels(f"{bench.prefix}-home") is None


def test_a_name_is_taken_once(bench: Bench) -> None:
    name = bench.created()
    first = bench.engine.container(name)
    with pytest.raises(NameTaken, match=name):
        bench.engine.create(bench.spec(name=name))
    assert bench.engine.container(name) == first


def test_a_name_is_the_whole_name(bench: Bench) -> None:
    bench.engine.create(bench.spec(name=f"{bench.prefix}-a.b"))
    for other in (f"{bench.prefix}-a", f"{bench.prefix}-axb", bench.prefix, "a.b"):
        assert bench.engine.container(other) is None
    assert bench.engine.container(f"{bench.prefix}-a.b")


def test_labels_are_kept_whatever_is_in_them(bench: Bench) -> None:
    spec = bench.spec()
    odd = {"odd": 'a=b, "c" \\ größe\n{"x": []}', "empty": ""}
    bench.engine.create(type(spec)(**{**vars(spec), "labels": {**spec.labels, **odd}}))
    container = bench.engine.container(spec.name)
    assert container
    assert dict(container.labels) | odd | dict(spec.labels) == dict(container.labels)


def test_only_what_carries_the_label_is_listed(bench: Bench) -> None:
    mine = {bench.created(), bench.running()}
    spec = bench.spec()
    bench.engine.create(type(spec)(**{**vars(spec), "labels": {f"{bench.label}-other": "yes"}}))
    assert {container.name for container in bench.engine.containers(bench.label)} == mine
    assert {container.name: container.running for container in bench.engine.containers(bench.label)} == {
        name: name == max(mine, key=list(bench.names).index) for name in mine
    }


def test_nothing_carries_an_unknown_label(bench: Bench) -> None:
    bench.created()
    assert bench.engine.containers(f"{bench.label}-unknown") == []


def test_a_volume_is_made_with_its_container_and_labelled_like_it(bench: Bench) -> None:
    name = bench.volume()
    assert bench.engine.volume_labels(name) is None
    bench.created(volume(name))
    labels = bench.engine.volume_labels(name)
    assert labels
    assert labels["agent-session.name"] == "the-session"


def test_a_volume_outlives_its_container(bench: Bench) -> None:
    name = bench.volume()
    bench.engine.remove(bench.running(volume(name)))
    assert bench.engine.volume_labels(name) is not None
    for _ in range(2):
        bench.engine.remove_volume(name)
    assert bench.engine.volume_labels(name) is None


def test_a_volume_in_use_is_not_removed(bench: Bench) -> None:
    name = bench.volume()
    bench.created(volume(name))
    with pytest.raises(ConflictError):
        bench.engine.remove_volume(name)
    assert bench.engine.volume_labels(name) is not None


def test_a_volume_that_is_there_keeps_its_labels(bench: Bench) -> None:
    name = bench.volume()
    bench.engine.create_volume(name, {"mine": "yes"})
    bench.created(volume(name))
    assert bench.engine.volume_labels(name) == {"mine": "yes"}
    with pytest.raises(ConflictError):
        bench.engine.create_volume(name, {})


def test_a_container_that_cannot_be_made_leaves_no_volume(bench: Bench) -> None:
    name = bench.volume()
    with pytest.raises(EngineRefused):
        bench.engine.create(bench.spec(volume(name), image="localhost/no-such-image:1"))
    assert bench.engine.volume_labels(name) is None
    with pytest.raises(NameTaken):
        bench.engine.create(bench.spec(volume(name), name=bench.created()))
    assert bench.engine.volume_labels(name) is None


def test_a_mount_of_nothing_is_refused(bench: Bench) -> None:
    gone = Mount(kind="bind", source=str(bench.folder / "gone"), target=PurePosixPath("/gone"))
    with pytest.raises(EngineRefused, match="gone"):
        bench.running(gone)


def test_a_container_takes_another_name_running_or_not(bench: Bench) -> None:
    for name in (bench.created(), bench.running()):
        new = bench.spec().name
        before = bench.engine.container(name)
        bench.engine.rename(name, new)
        after = bench.engine.container(new)
        assert before
        assert after
        assert (after.id, after.running) == (before.id, before.running)
        assert bench.engine.container(name) is None


def test_no_container_takes_a_name_that_is_taken(bench: Bench) -> None:
    one, other = bench.created(), bench.created()
    with pytest.raises(NameTaken):
        bench.engine.rename(one, other)
    with pytest.raises(NotFoundError):
        bench.engine.rename(f"{bench.prefix}-missing", f"{bench.prefix}-new")
    assert bench.engine.container(one)


def test_a_secret_is_told_from_the_next_by_its_id(bench: Bench) -> None:
    name = bench.secret()
    assert bench.engine.secret_id(name) is None
    bench.engine.put_secret(name, b"one")
    first = bench.engine.secret_id(name)
    assert bench.engine.read_secret(name) == b"one"
    bench.engine.put_secret(name, b"two")
    assert first
    assert bench.engine.secret_id(name) not in {None, first}
    for _ in range(2):
        bench.engine.remove_secret(name)
    assert bench.engine.secret_id(name) is None


def test_a_network_is_made_once_or_not_to_be_had(bench: Bench) -> None:
    name = bench.network()
    there = bench.engine.create_network(name, {bench.label: "yes"})
    assert bench.engine.create_network(name, {}) is there
    if there:
        spec = replace(bench.spec(), network=name, alias="tiny")
        bench.engine.create(spec)
        container = bench.engine.container(spec.name)
        assert container
        assert container.networks == (name,)
        with pytest.raises(ConflictError):
            bench.engine.remove_network(name)
        bench.engine.remove(spec.name)
    for _ in range(2):
        bench.engine.remove_network(name)


def test_a_published_port_is_the_same_in_each_life(bench: Bench) -> None:
    spec = replace(bench.spec(), ports=(4096,))
    bench.engine.create(spec)
    seen = []
    for _ in range(2):
        bench.engine.start(spec.name)
        (container,) = bench.engine.containers(bench.label)
        seen.append(dict(container.ports))
        bench.engine.stop(spec.name)
    stopped = bench.engine.container(spec.name)
    assert stopped
    assert seen == [dict(stopped.ports)] * 2
    assert set(stopped.ports) == {4096}
    assert 1024 <= stopped.ports[4096] <= 65535


def test_a_port_is_published_under_the_number_that_was_chosen(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    spec = replace(bench.spec(), ports=(4096,), published=(Published(port, 3000),))
    bench.engine.create(spec)
    bench.engine.start(spec.name)
    container = bench.engine.container(spec.name)
    assert container
    assert set(container.ports) == {3000, 4096}
    assert container.ports[3000] == port


def test_a_container_without_a_network_publishes_nothing(bench: Bench) -> None:
    spec = replace(bench.spec(), offline=True)
    bench.engine.create(spec)
    bench.engine.start(spec.name)
    container = bench.engine.container(spec.name)
    assert container
    assert (container.networks, dict(container.ports)) == ((), {})


def test_a_command_ends_with_its_own_status_and_words(bench: Bench) -> None:
    name = bench.running()
    done = bench.engine.exec(name, ["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.exit_code, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert bench.engine.exec(name, ["true"]).exit_code == 0


def test_a_command_reads_any_bytes_from_its_standard_input(bench: Bench) -> None:
    name = bench.running()
    sent = bytes(range(256)) * 4096
    assert bench.engine.exec(name, ["cat"], stdin=sent).stdout == sent
    assert bench.engine.exec(name, ["cat"]).stdout == b""


def test_a_command_reads_a_file_and_writes_one(bench: Bench) -> None:
    name = bench.running()
    (bench.folder / "sent").write_bytes(bytes(range(256)) * 1000)
    with (bench.folder / "sent").open("rb") as sent, (bench.folder / "got").open("wb") as got:
        done = bench.engine.exec(name, ["cat"], stdin=sent, stdout=got)
    assert (done.exit_code, done.stdout) == (0, b"")
    assert (bench.folder / "got").read_bytes() == (bench.folder / "sent").read_bytes()


def test_a_command_can_have_the_callers_streams_instead_of_a_terminal(bench: Bench) -> None:
    command = bench.engine.attach_command("x", ["y"], {"TERM": "xterm"}, terminal=False)
    assert "-i" in command
    assert not {"-t", "-it"} & set(command)


def test_an_argument_arrives_as_it_is(bench: Bench) -> None:
    name = bench.running()
    odd = ["a b", "", "it's", "$HOME", "größe", "new\nline", "-x"]
    done = bench.engine.exec(name, ["sh", "-c", "printf '%s|' \"$@\"", "sh", *odd])
    assert done.stdout.decode() == "".join(f"{word}|" for word in odd)


def test_a_command_that_takes_too_long_is_124(bench: Bench) -> None:
    name = bench.running()
    assert bench.engine.exec(name, ["sleep", "30"], timeout=0.5).exit_code == 124


def told(stream: Generator[bytes, None, ExecResult]) -> tuple[bytes, ExecResult]:
    said = b""
    while True:
        try:
            said += next(stream)
        except StopIteration as end:
            return said, end.value


def test_a_stream_gives_what_a_command_says_and_how_it_ended(bench: Bench) -> None:
    name = bench.running()
    sent = bytes(range(256)) * 4096
    said, done = told(bench.engine.exec_stream(name, ["sh", "-c", "cat; echo err >&2; exit 3"], stdin=sent))
    assert (said, done) == (sent, ExecResult(exit_code=3, stderr=b"err\n"))
    assert told(bench.engine.exec_stream(name, ["cat"])) == (b"", ExecResult(exit_code=0))


def test_a_stream_that_takes_too_long_is_124(bench: Bench) -> None:
    name = bench.running()
    assert told(bench.engine.exec_stream(name, ["sleep", "30"], timeout=0.5))[1].exit_code == 124


def test_a_command_in_a_container_that_does_not_run_is_refused(bench: Bench) -> None:
    for name in (bench.created(), f"{bench.prefix}-missing"):
        with pytest.raises(EngineRefused):
            bench.engine.exec(name, ["true"])
        with pytest.raises(EngineRefused):
            told(bench.engine.exec_stream(name, ["true"]))


def test_attaching_is_a_command_on_the_callers_terminal(bench: Bench) -> None:
    name = bench.running()
    command = bench.engine.attach_command(
        name, ["/usr/local/bin/session-attach", "a b"], {"TERM": "xterm", "EMPTY": ""}
    )
    assert command[0].rpartition("/")[2] == "podman"
    assert command[-3:] == [name, "/usr/local/bin/session-attach", "a b"]
    assert "-it" in command
    assert command[command.index("--detach-keys") + 1] == ""
    assert [command[i + 1] for i, word in enumerate(command) if word == "-e"] == ["TERM=xterm", "EMPTY="]


def test_an_image_is_there_or_not_without_a_registry(bench: Bench) -> None:
    assert bench.engine.images.exists(bench.image)
    assert bench.image in bench.engine.images.references()
    assert not bench.engine.images.exists("localhost/no-such-image:1")


def test_an_archive_becomes_an_image(
    bench: Bench, make: Callable[..., list[str]], root_file_system: PurePosixPath
) -> None:
    base, tag = bench.image_name(), bench.image_name()
    bench.engine.images.import_archive(bench.folder.__class__(root_file_system), base)
    assert bench.engine.images.exists(base)
    make(tag, f"FROM {base}\n".encode())
    assert bench.engine.images.exists(tag)


def test_a_broken_archive_is_refused(bench: Bench) -> None:
    name = bench.image_name()
    broken = bench.folder / "broken.tar"
    broken.write_bytes(b"no tar" * 1000)
    with pytest.raises(EngineRefused):
        bench.engine.images.import_archive(broken, name)
    assert not bench.engine.images.exists(name)


def test_a_build_tells_what_it_does_and_makes_the_image(bench: Bench, make: Callable[..., list[str]]) -> None:
    tag = bench.image_name()
    told = make(tag, b"ARG BASE\nFROM ${BASE}\nRUN echo one; echo two >&2\n")
    assert any(line.startswith("STEP ") for line in told)
    assert {"one", "two"} <= set(told)
    assert bench.engine.images.exists(tag)
    assert tag in bench.engine.images.references()


def test_a_failed_build_tells_the_last_words_and_makes_nothing(
    bench: Bench, make: Callable[..., list[str]]
) -> None:
    tag = bench.image_name()
    with pytest.raises(BuildFailed, match="the last words") as caught:
        make(tag, b"ARG BASE\nFROM ${BASE}\nRUN echo early; echo the last words >&2; exit 3\n")
    assert "exit status 3" in caught.value.message
    assert not bench.engine.images.exists(tag)


def test_an_image_in_use_stays_without_a_word(bench: Bench, make: Callable[..., list[str]]) -> None:
    tag = bench.image_name()
    make(tag, b"ARG BASE\nFROM ${BASE}\nRUN echo unique\n")
    spec = bench.spec(image=tag)
    bench.engine.create(spec)
    bench.engine.images.remove(tag)
    assert bench.engine.images.exists(tag)
    bench.engine.remove(spec.name)
    for _ in range(2):
        bench.engine.images.remove(tag)
    assert not bench.engine.images.exists(tag)


def test_preparing_an_image_leaves_no_container(bench: Bench) -> None:
    bench.engine.images.prepare(bench.image)
    bench.engine.create(bench.spec())


def test_an_image_that_could_run_nothing_cannot_be_prepared(
    bench: Bench, make: Callable[..., list[str]]
) -> None:
    tag = bench.image_name()
    make(tag, b"FROM scratch\nCOPY Containerfile /\n")
    with pytest.raises(BuildFailed, match="no command to run"):
        bench.engine.images.prepare(tag)
    assert [container.name for container in bench.engine.containers("") if container.image == tag] == []
    make(tag, b'FROM scratch\nCOPY Containerfile /\nENTRYPOINT ["x"]\n')
    bench.engine.images.prepare(tag)


def test_a_registry_that_does_not_answer_is_told(bench: Bench) -> None:
    with pytest.raises(EngineRefused, match="localhost:1/no-such-image"):
        list(bench.engine.images.pull("localhost:1/no-such-image:1"))


def test_limits_are_enforced_or_named_and_never_hinder_a_start(bench: Bench) -> None:
    lacking = bench.engine.unenforced()
    assert lacking.keys() <= {"memory", "cpus", "pids"}
    assert all(lacking.values())
    spec = replace(bench.spec(), memory=256 << 20, cpus=0.5, pids=100)
    bench.engine.create(spec)
    bench.engine.start(spec.name)
    container = bench.engine.container(spec.name)
    assert container
    assert container.running


def test_it_says_of_itself_what_a_checkup_asks(bench: Bench) -> None:
    bench.engine.connect()
    about = bench.engine.info()
    assert about.version[0].isdigit()
    assert about.cgroups in {"v1", "v2"}
    assert about.ids > 1000
    assert all((about.driver, about.runtime))
    assert about.storage is None or about.storage.is_dir()
    assert bench.engine.local is not None


def test_without_a_label_all_containers_are_listed(bench: Bench) -> None:
    labelled, bare = bench.created(), bench.spec()
    bench.engine.create(replace(bare, labels={}))
    everybody = {container.name for container in bench.engine.containers("")}
    assert {labelled, bare.name} <= everybody
    assert {container.name for container in bench.engine.containers(bench.label)} == {labelled}


def test_a_finished_build_leaves_nothing_behind(bench: Bench) -> None:
    before = bench.engine.images.stale_builds()
    bench.engine.images.remove_stale_builds([])
    assert bench.engine.images.stale_builds() == before


def test_what_containers_volumes_and_images_take_is_measured(bench: Bench) -> None:
    spec = replace(bench.spec(), mounts=(volume(bench.volume()),))
    bench.engine.create(spec)
    use = bench.engine.disk_use()
    assert use.images[bench.image] > 1000
    assert use.volumes[bench.volumes[-1]] >= 0
    assert use.containers[spec.name] >= 0
