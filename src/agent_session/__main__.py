"""`python -m agent_session`, which the launcher runs."""

from agent_session.cli.main import main

if __name__ == "__main__":
    main()
