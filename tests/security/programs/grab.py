"""grab.py CONFIG: opens a file for writing in each moment in which that can be done,
and writes to it at once and again later.
"""

import os
import sys
import time

path = sys.argv[1]
end = time.monotonic() + float(sys.argv[2])
held = []
while time.monotonic() < end:
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
    except OSError:
        continue
    if os.fstat(file).st_nlink:
        os.write(file, b"[early]\n\twon = true\n")
        held.append(file)
    else:
        os.close(file)
    if len(held) > 200:
        break
time.sleep(1)
for file in held:
    os.write(file, b"[late]\n\twon = true\n")
print(len(held))
