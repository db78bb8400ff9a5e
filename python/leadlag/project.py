"""dbt commands on a project, in a process of their own."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class ProjectError(Exception):
    """dbt cannot read or build the project; the message says what it said."""


@dataclass(frozen=True)
class Project:
    """A dbt project and how to call dbt for it.

    Attributes:
        folder: where dbt_project.yml is.
        options: --target, --profile and --profiles-dir, as far as they are given.
        variables: dbt variables of the call.
        environment: what dbt finds in its environment besides that of this process.
    """

    folder: Path
    options: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def target_path(self) -> Path:
        """Where dbt writes what it makes of the project."""
        given = self.environment.get("DBT_TARGET_PATH") or os.environ.get("DBT_TARGET_PATH") or "target"
        return self.folder / given

    def dbt(self, *words: str) -> None:
        """Run one dbt command.

        Raises:
            ProjectError: it failed; the message has what dbt wrote.
        """
        command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "--no-use-colors", *words, *self.options]
        command += ["--project-dir", str(self.folder), "--vars", json.dumps(self.variables)]
        environment = {**os.environ, **self.environment, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode != 0:
            raise ProjectError(f"dbt {words[0]} failed\n{done.stdout.strip()}")

    def parse(self) -> dict[str, Any]:
        """The manifest of the project as its files are now."""
        self.dbt("parse")
        return read_manifest(self.target_path / "manifest.json")


def read_manifest(path: Path) -> dict[str, Any]:
    """A manifest that dbt wrote.

    Raises:
        ProjectError: there is none, or it is not JSON.
    """
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ProjectError(f"no manifest of dbt in {path}: {error}") from None
    return manifest


def add_project_arguments(parser: argparse.ArgumentParser) -> None:
    """Options by which a command finds the dbt project and its profile."""
    parser.add_argument(
        "--project-dir", type=Path, default=Path(), metavar="DIR", help="folder of dbt_project.yml (default .)"
    )
    parser.add_argument("--target", metavar="NAME", help="target of the dbt profile (default: the profile's)")
    parser.add_argument(
        "--profiles-dir", metavar="DIR", help="folder of profiles.yml (default DBT_PROFILES_DIR, else .)"
    )
    parser.add_argument("--profile", metavar="NAME", help="profile of dbt (default: the one dbt_project.yml names)")
    parser.add_argument("--vars", default="{}", metavar="YAML", help="dbt variables, as given to dbt")


def profile_options(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The options of a call that are dbt's own."""
    given: Sequence[tuple[str, str | None]] = [
        ("--target", arguments.target),
        ("--profiles-dir", arguments.profiles_dir),
        ("--profile", arguments.profile),
    ]
    return tuple(word for name, value in given if value for word in (name, str(value)))
