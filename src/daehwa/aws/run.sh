#!/bin/sh
# What the Lambda Web Adapter starts: the function, with the modules that lie beside this script.
# -S: nothing is installed into Lambda's Python that would have to be looked for.
cd "$(dirname "$0")" || exit 1
export PYTHONPATH="$PWD"
for python in "/var/lang/bin/python3" python3; do
  if command -v "$python" >/dev/null; then exec "$python" -S -m daehwa.aws.function; fi
done
echo "There is no python3 here." >&2
exit 1
