"""`python -m ops.docker.health URL`: exit code 0 when the URL answers 200; the health check of the
image, which has no other HTTP client.
"""

import sys
import urllib.error
import urllib.request

TIMEOUT_S = 4.0


def main() -> int:
    """Ask once, and say on standard error what came instead of 200."""
    url = sys.argv[1]
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):
            return 0
    except urllib.error.HTTPError as error:
        said = error.read(2_000).decode(errors="replace")
        sys.stderr.write(f"{url} answered {error.code}: {said}\n")
    except OSError as error:
        sys.stderr.write(f"{url} does not answer: {error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
