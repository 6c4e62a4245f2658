"""What the image and the compose file name is there, as far as that can be seen without an engine."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = ROOT / "deployments"
DOCKERFILE = (DEPLOYMENTS / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text(encoding="utf-8"))


def copied() -> list[str]:
    """Return what the image copies from the project."""
    lines = [line.split() for line in DOCKERFILE.splitlines() if line.startswith("COPY") and "--from" not in line]
    return [word for line in lines for word in line[1:-1] if not word.startswith("--")]


def test_all_that_the_image_copies_is_there_and_not_ignored() -> None:
    let_in = (DEPLOYMENTS / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert len(copied()) > 5
    for name in copied():
        assert (ROOT / name).exists(), name
        assert f"!{name.partition('/')[0]}" in let_in


def test_the_image_installs_from_the_constraints_and_is_not_root() -> None:
    assert "-c constraints.txt" in DOCKERFILE
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["docmill"]
    assert "HEALTHCHECK" in DOCKERFILE
    extras = re.search(r"'\.\[(.*)\]'", DOCKERFILE)
    assert extras is not None
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f"\n{extra} = [" in project for extra in extras[1].split(","))


def test_prefect_knows_the_words_of_the_worker_s_command() -> None:
    (line,) = (line for line in DOCKERFILE.splitlines() if line.startswith("CMD"))
    words = re.findall(r'"(.*?)"', line)
    ran = subprocess.run(
        [Path(sys.executable).with_name("prefect"), *words[1:3], "--help"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert all(word in ran.stdout for word in words if word.startswith("--"))


def test_services_wait_for_services_that_are_there_and_no_port_is_open_to_others() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"database", "server", "worker"}
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        assert service["restart"] == "unless-stopped"
    volumes = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", ())}
    assert set(COMPOSE["volumes"]) <= volumes
    # A worker is given 10 seconds to drain, and some to write.
    assert int(services["worker"]["stop_grace_period"].removesuffix("s")) > 15


def test_no_secret_stands_in_the_files() -> None:
    text = (DEPLOYMENTS / "compose.yaml").read_text(encoding="utf-8")
    for line in text.splitlines():
        if re.search(r"(KEY|PASSWORD)\w*:", line) and not line.lstrip().startswith("#"):
            assert "${" in line, line
