"""No secret is left in a text: not one that is known, nor what has the name or the shape of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunixrt_core.home.redaction import Redactor, known_secrets, names_secret
from tunixrt_core.settings import Settings

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("Authorization: Bearer abcDEF123456", "abcDEF123456"),
        ("headers {'authorization': 'Basic dXNlcjpwYXNz', 'accept': '*/*'}", "dXNlcjpwYXNz"),
        ('{"Authorization": "Token one two three"}', "two"),
        ("Cookie: session=abc; other=def", "def"),
        ("sent bearer eyabcdefgh.ijkl", "eyabcdefgh"),
        ("GET /?token=s3cr3t&page=2", "s3cr3t"),
        ("HF_TOKEN=hf_AbCdEfGhIjKlMnOpQrStUvWx", "hf_AbCd"),
        ("login with hf_AbCdEfGhIjKlMnOpQrStUvWx failed", "hf_AbCd"),
        (f"wandb: {KEY} is not valid", KEY),
        ('"wandb_api_key": "short"', "short"),
        ("password = 'with a space'", "space"),
        (r"{\"password\": \"quoted\"}", "quoted"),
        ("postgresql+psycopg://me:pa:ss@w0rd@db:5432/rt refused", "w0rd"),
        ("https://ghp_abcdefghijklmnop@github.com/a/b", "ghp_"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----\nafter", "IBAAK"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEow\ncut off", "MIIEow"),
        ("[parameters: ('a trace', 'its hash')]", "a trace"),
        ("type=string, input_value='A dial shows 4', input_type=str", "dial"),
        (f"ValueError: cannot read '{'a dial shows four. ' * 5}'", "dial"),
    ],
)
def test_what_looks_like_a_secret_is_removed(line: str, secret: str) -> None:
    assert secret in line
    assert secret not in Redactor().text(line)


@pytest.mark.parametrize(
    "line",
    [
        "step 40 of 400, 1,234 tokens/s, max_new_tokens: 128, tokenizer: /models/tiny",
        "sha256 " + "0123456789abcdef" * 4,
        "group_key=ab12 of trace 9f3c: dropped 3 rows (http://127.0.0.1:8501/run?run=r-0001)",
        'File "/home/me/tunixrt_core/jobs.py", line 12, in work',
        "2026-11-21 16:40:00  Alert: loss_spike: loss 8.31 at train step 20",
    ],
)
def test_what_helps_stays_as_it_is(line: str) -> None:
    assert Redactor().text(line) == line


def test_a_known_secret_goes_in_every_form_that_it_is_written_in() -> None:
    redactor = Redactor(["p@ss/w:rd", "p@ss", "abc"])
    assert redactor.text("p@ss/w:rd p%40ss%2Fw%3Ard p@ss2 abc") == "(removed) (removed) (removed)2 abc"


def test_a_value_loses_what_stands_under_the_name_of_a_secret() -> None:
    told = Redactor().value(
        {"api_key": "x", "deep": [{"HF_TOKEN": "y", "name": "Bearer abcdefgh"}], "n": 1, "token": ""}
    )
    assert told == {
        "api_key": "(removed)",
        "deep": [{"HF_TOKEN": "(removed)", "name": "Bearer (removed)"}],
        "n": 1,
        "token": "",
    }


def test_a_very_long_line_is_cut() -> None:
    assert Redactor().text("x" * 5_000 + "\nnext").endswith(" (3000 more characters)\nnext")


@pytest.mark.parametrize(
    "name", ["token", "HF_TOKEN", "apiKey", "WANDB_API_KEY", "db_password", "aws_secret_access_key"]
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize("name", ["max_new_tokens", "group_key", "tokenizer", "keyboard", "sample_tokens"])
def test_other_names_are_left(name: str) -> None:
    assert not names_secret(name)


def test_a_server_knows_its_own_secrets(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("kept-in-the-home\n", encoding="ascii")
    url = "postgresql://me:db-pass@db/rt"
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path), "TUNIXRT_DATABASE_URL": url})
    found = known_secrets(
        settings, {"WANDB_API_KEY": "w-key", "MY_KEY": "m-key", "PROXY": "http://u:p-pass@x", "HOME": "/h"}
    )
    assert found == {"kept-in-the-home", "db-pass", "w-key", "m-key", "p-pass"}


def test_the_folder_that_a_shell_is_in_is_no_password() -> None:
    settings = Settings.from_env({"TUNIXRT_HOME": "/nonexistent"})
    environ = {"PWD": "/srv/place", "OLDPWD": "/srv", "USE_TOKEN": "true", "DB_PWD": "hunter-22"}
    redactor = Redactor(known_secrets(settings, environ))
    text = "PWD=/srv/place OLDPWD=/srv true /srv/place/app hunter-22 pwd=geheim"
    assert redactor.text(text) == "PWD=/srv/place OLDPWD=/srv true /srv/place/app (removed) pwd=(removed)"
