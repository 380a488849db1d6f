# Debian's /etc/profile sets PATH anew for login shells.
PATH=/home/agent/.local/bin:/home/agent/.cargo/bin:$PATH
