"""Synthesises the app for the CDK CLI, from the file that DAEHWA_DEPLOYMENT names."""

import sys

from daehwa.deployment.configuration import INPUT_VARIABLE
from daehwa.deployment.errors import DeploymentError
from daehwa.deployment.stack.app import StackInput, synthesize
from daehwa.settings.surroundings import child_environment

if __name__ == "__main__":
    try:
        synthesize(StackInput.read(child_environment().get(INPUT_VARIABLE)))
    except DeploymentError as error:
        sys.exit(str(error))
