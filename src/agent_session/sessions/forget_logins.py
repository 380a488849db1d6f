"""Logins are taken out of sessions, running or stopped, when `logout` has forgotten the stored one."""

from dataclasses import replace

from agent_session import inside
from agent_session.agents.catalog import Agent
from agent_session.engine.command import ExecResult, OneOff
from agent_session.engine.protocol import Engine
from agent_session.errors import EngineRefused
from agent_session.sessions import lifecycle, plan
from agent_session.sessions.request import SessionRequest
from agent_session.sessions.session import Session

SECONDS = 60
FORGET = """cd "$HOME" || exit
run=/run/agent-session
for variable; do
    [ "$variable" != -- ] || break
    for file in $run/seed/environment $run/environment; do
        [ ! -f $file ] || sed -i -e "/export $variable=/d" $file || exit
    done
    shift
done
shift
rm -rf -- $run/login-files $run/seed/seal $run/seed/files
rm -f -- "$@"
"""
"""Arguments: variables, --, and files below the home."""


def forget(engine: Engine, session: Session, agent: Agent, request: SessionRequest | None) -> None:
    """Take an agent's logins out of a session's memory and volumes.

    A running program keeps what it has read. The container of a stopped session that was made with the
    login is replaced, as `request` says. Raises EngineRefused, or as lifecycle.recreate does.
    """
    variables = [agent.login.variable] if agent.login and agent.login.variable else []
    words = [*variables, "--", *agent.login_files, str(inside.SEALED_LOGINS)]
    command = ("/bin/sh", "-c", FORGET, "forget", *words)
    if session.running:
        _check(session, engine.exec(session.container, command, timeout=SECONDS))
        return
    home, _ = plan.volume_mounts(session.name)
    _check(
        session,
        engine.run_one_off(OneOff(image=session.image, command=command, mounts=(home,)), timeout=SECONDS),
    )
    if session.login_on_disk and request:
        lifecycle.recreate(engine, session, replace(request, login=None), None, screen=False)


def _check(session: Session, done: ExecResult) -> None:
    if done.exit_code:
        raise EngineRefused(f"session '{session.name}' keeps its login: {done.message}")
