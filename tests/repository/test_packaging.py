"""What is shipped is whole: the wheel, the image's recipe and the pins fit the project."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.conftest import LONG, REPOSITORY
from tests.helpers.servers import get, start_server
from tunixrt_core import __version__
from tunixrt_core.settings import VARIABLES
from tunixrt_core.util.files.yaml import load_yaml
from tunixrt_core.util.hashing import file_sha256

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
PINS = {
    requirement.name.lower(): requirement
    for line in (REPOSITORY / "requirements.txt").read_text().splitlines()
    if line and not line.startswith("#")
    for requirement in [Requirement(line)]
}
DEPLOY = REPOSITORY / "docs" / "deploy"
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()


def test_every_dependency_is_pinned_within_its_range() -> None:
    for text in PROJECT["dependencies"]:
        wanted = Requirement(text)
        pinned = next(iter(PINS[wanted.name.lower()].specifier))
        assert pinned.operator == "=="
        assert wanted.specifier.contains(pinned.version), text


def test_the_pins_hold_nothing_of_tunix() -> None:
    assert not {"jax", "jaxlib", "google-tunix", "flax", "qwix"} & set(PINS)


def test_the_extras_are_the_ones_that_the_docs_name() -> None:
    extras = PROJECT["optional-dependencies"]
    assert {"tunix", "tpu", "postgres", "dev"} <= set(extras)
    assert "google-tunix==0.1.7" in extras["tunix"]
    assert "jax<0.11" in extras["tunix"]
    assert "jax[tpu]<0.11" in extras["tpu"]


def test_everything_that_the_image_copies_is_there() -> None:
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (REPOSITORY / source).exists(), source


def test_the_image_runs_as_a_user_of_its_own_with_a_volume_and_a_health_check() -> None:
    assert re.search(r"^USER tunixrt$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^VOLUME /data$", DOCKERFILE, re.MULTILINE)
    assert "/healthz" in DOCKERFILE


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a wheel puts into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder)]
    done = subprocess.run([*command, str(copy_of_sources(folder))], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "installed")
    return folder / "installed"


def test_a_wheel_holds_every_file_that_the_program_reads(installed: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "tunixrt_core", "app", "pages"], capture_output=True, cwd=REPOSITORY)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.decode().split():
        assert (installed / ("" if name.startswith("tunixrt_core/") else "tunixrt_dashboard") / name).is_file(), name


def test_a_wheel_shadows_nobodys_app_or_pages(installed: Path) -> None:
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"tunixrt_core", "tunixrt_dashboard"}
    assert {path.name for path in (installed / "tunixrt_dashboard").iterdir()} == {"app", "pages"}


def test_the_dashboard_of_a_wheel_is_served_with_its_own_files(installed: Path, tmp_path: Path) -> None:
    static = installed / "tunixrt_dashboard" / "app" / "static"
    (static / "of-the-wheel.txt").write_text("here")  # which the checkout lacks
    # -P: neither the folder nor the checkout is on the path by itself
    serve = ("-P", "-m", "tunixrt_core", "serve")
    server = start_server(tmp_path / "home", "--no-auth", program=serve, packages=installed)
    try:
        assert get(f"{server.url}/app/static/of-the-wheel.txt").text == "here"
        assert "Tunix RT" in get(f"{server.url}/").text
        assert get(f"{server.url}/api/datasets").json() == {"datasets": []}
    finally:
        code, log = server.end()
    assert (code, "Traceback" in log) == (0, False), log


def test_a_wheel_holds_the_licence_of_everything_in_it(installed: Path) -> None:
    """The project's own, that of each font, and those of the npm packages of which the component has parts."""
    licences = next(installed.glob("*.dist-info")) / "licenses"
    names = {str(path.relative_to(licences)) for path in licences.rglob("*") if path.is_file()}
    fonts = {f"app/static/{font.stem}.LICENSE.txt" for font in (REPOSITORY / "app" / "static").glob("*.woff2")}
    assert names == {"LICENSE", "app/component/assets/LICENSES.txt", *fonts}
    assert len(fonts) == 2
    told = (licences / "app/component/assets/LICENSES.txt").read_text(encoding="utf-8")
    component = json.loads((REPOSITORY / "app" / "component" / "package.json").read_text())
    for name, version in component["dependencies"].items():
        assert re.search(rf"^{re.escape(name)} {re.escape(version)} \(.+\)$", told, re.MULTILINE), name


def test_the_version_is_the_same_wherever_it_is_written() -> None:
    component = json.loads((REPOSITORY / "app" / "component" / "package.json").read_text())
    citation = load_yaml((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert component["version"] == str(citation["version"]) == __version__
    assert f"\n## {__version__}" in changes


def test_the_versions_of_python_are_the_same_wherever_they_are_written() -> None:
    stated = re.findall(r"Python :: (3\.\d+)\n", "\n".join(PROJECT["classifiers"]))
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert stated == [f"3.{minor}" for minor in range(100) if f"3.{minor}" in allowed]
    assert f"You need Python {stated[0]} to {stated[-1]} " in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for file, job in (("ci.yml", "test"), ("tunix-integration.yml", "release")):
        jobs = load_yaml((REPOSITORY / ".github" / "workflows" / file).read_text(encoding="utf-8"))["jobs"]
        assert jobs[job]["strategy"]["matrix"]["python"] == stated, file
    each = " ".join(f"python{version}" for version in stated)
    assert f'make release PYTHONS="{each}"' in (REPOSITORY / "Makefile").read_text(encoding="utf-8")


@LONG
@pytest.mark.slow
def test_two_builds_give_the_same_bytes_whatever_is_around_them(tmp_path: Path) -> None:
    """Other folders, times of files, rights of new files, time zone and order of sets."""
    hashes = []
    for name, hour in (("one", 0), ("two", 12)):
        folder = tmp_path / name
        source = copy_of_sources(folder)
        for path in source.rglob("*"):
            os.utime(path, (1_800_000_000 + 3600 * hour,) * 2)
        command = f"umask 0{hour and 77}; exec {sys.executable} -m pip wheel --quiet --no-deps -w {folder} {source}"
        around = {**os.environ, "TZ": f"Etc/GMT+{hour}", "PYTHONHASHSEED": str(hour)}
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=around)
        assert done.returncode == 0, done.stderr
        hashes.append(file_sha256(next(folder.glob("*.whl"))))
    assert hashes[0] == hashes[1]


def test_what_is_deployed_asks_the_addresses_that_there_are() -> None:
    """Kubernetes and compose: probes, ports, settings and the user of the image."""
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    assert [each["kind"] for each in documents] == ["PersistentVolumeClaim", "Deployment", "Service"]
    pod = documents[1]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert f"--uid {pod['securityContext']['runAsUser']}" in DOCKERFILE
    assert {each["name"] for each in container["env"]} <= set(VARIABLES)
    assert container["volumeMounts"][0]["mountPath"] in re.findall(r"^VOLUME (.+)$", DOCKERFILE, re.MULTILINE)
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert set(compose["tunixrt"]["environment"]) <= set(VARIABLES)
    extras = compose["tunixrt"]["build"]["args"]["EXTRA"].split(",")
    assert {"tunix", "postgres"} == set(extras) & set(PROJECT["optional-dependencies"])
    assert (DEPLOY / compose["tunixrt"]["build"]["context"] / "Dockerfile").is_file()


def test_the_script_without_docker_knows_every_instruction_of_the_image() -> None:
    loader = SourceFileLoader("image", str(REPOSITORY / ".ci" / "image"))
    spec = importlib.util.spec_from_loader("image", loader)
    assert spec is not None
    image = importlib.util.module_from_spec(spec)
    loader.exec_module(image)
    written = image.steps()
    assert [word for word, _ in written] == re.findall(r"^([A-Z]+) ", DOCKERFILE, re.MULTILINE)
    assert {word for word, _ in written} <= image.KNOWN
    assert dict(written)["HEALTHCHECK"].endswith('timeout=4)"]')


def test_forms_for_issues_are_what_github_reads() -> None:
    for file in (REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(file.read_text(encoding="utf-8"))
        if file.name != "config.yml":
            assert {"name", "description", "body"} <= set(form), file.name
            assert all(part["type"] in {"markdown", "input", "textarea", "dropdown"} for part in form["body"])


def copy_of_sources(tmp_path: Path) -> Path:
    """Only what git knows: a build leaves folders behind, which must not land in the checkout."""
    target = tmp_path / "source"
    names = subprocess.run(["git", "ls-files", "-z"], capture_output=True, cwd=REPOSITORY).stdout.decode().split("\0")
    for name in filter(None, names):
        if (REPOSITORY / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((REPOSITORY / name).read_bytes())
    return target
