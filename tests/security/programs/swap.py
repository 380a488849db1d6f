"""An agent that waits until a session is about to be made and then puts a link in the place of what it is
going to mount.

swap.py SIGN PATH TARGET: when SIGN exists, PATH becomes a link to TARGET. Says "ready" first, "swapped" then.
"""

import os
import sys
import time

sign, path, target = sys.argv[1:]
print("ready", flush=True)
while not os.path.lexists(sign):
    time.sleep(0.001)
os.rename(path, path + ".real")
os.symlink(target, path)
print("swapped", flush=True)
