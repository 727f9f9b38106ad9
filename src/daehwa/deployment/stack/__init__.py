"""The AWS home as a CDK app, one construct a file. `python -m daehwa.deployment.stack` is what the CDK CLI starts."""
