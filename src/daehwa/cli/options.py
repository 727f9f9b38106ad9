"""Options that several commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class _Named(click.Path):
    """A path that was named. An empty text, as a script writes that has lost one, would mean the folder one is in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As on `click.Path`."""
        if value == "":
            self.fail("the name is empty.", param, ctx)
        return super().convert(value, param, ctx)


FOLDER = _Named(path_type=Path, file_okay=False)
FILE = _Named(path_type=Path, dir_okay=False)
config_option = click.option(
    "--config", type=FILE, metavar="FILE", help="The settings file. Otherwise: see docs/settings.md."
)
data_dir_option = click.option("--data-dir", type=FOLDER, metavar="FOLDER", help="Where conversations are kept.")
_aws = click.option("--aws", is_flag=True, help="The installation on AWS, as daehwa-aws.toml in this folder names it.")
_name = click.option("--name", metavar="NAME", help="With --aws: the installation's name. [daehwa]")
_region = click.option("--region", metavar="REGION", help="With --aws: where it runs.")
_table = click.option("--table", metavar="TABLE", help="On AWS: a table that outlived its installation.")
_profile = click.option("--profile", metavar="NAME", help="With --aws: the AWS profile. [AWS_PROFILE, else default]")


def place_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options that say which store is meant."""
    for option in (config_option, data_dir_option, _profile, _table, _region, _name, _aws):
        command = option(command)
    return command
