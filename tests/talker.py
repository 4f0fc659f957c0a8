"""A child process as processes.Child starts it: it prints, answers every so many seconds, so many times, and ends with status 3."""

import json
import sys
import time

from assay.curation.system import processes

if __name__ == "__main__":
    pause, times = float(sys.argv[1]), int(sys.argv[2])
    print('{"n": "a stray line"}', flush=True)
    out = processes.open_answers()
    for n in range(times):
        time.sleep(pause)
        print(json.dumps(dict(n=n)), file=out, flush=True)
    sys.exit(3)
