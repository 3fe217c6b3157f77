"""`vestiary serve` and `vestiary keys`: flags held to the settings, keys made and revoked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("pydantic_settings")

from vestiary.cli.main import main
from vestiary.cli.settings import PREFIX, read_settings, setting_flags
from vestiary.errors import OptionError
from vestiary.serve.settings import Settings


def test_every_setting_is_a_flag() -> None:
    flags = {flag.name: flag for flag in setting_flags()}
    assert set(flags) == {PREFIX + name for name in Settings.model_fields}
    assert all(flag.default is None or flag.multiple for flag in flags.values())  # type: ignore[attr-defined]


def test_flags_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VESTIARY_PORT", "9000")
    monkeypatch.setenv("VESTIARY_WORKERS", "3")
    settings = read_settings({PREFIX + "port": 9001, PREFIX + "workers": None, PREFIX + "cors_origins": ("https://a",)})
    assert (settings.port, settings.workers, settings.cors_origins) == (9001, 3, ("https://a",))
    with pytest.raises(OptionError, match="'port'"):
        read_settings({PREFIX + "port": 99999})


def test_keys_are_made_listed_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--database", f"sqlite:///{tmp_path}/v.db", "--json"]
    assert main(["keys", "create", "shop", "--scope", "read", *place]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["scopes"] == ["read"]
    assert main(["keys", "revoke", "shop", *place]) == 0
    capsys.readouterr()
    assert main(["keys", "list", *place]) == 0
    listed = capsys.readouterr().out
    assert json.loads(listed)[0]["revoked"]
    assert made["key"] not in listed
    assert main(["keys", "revoke", "shop", *place]) == 2


def test_what_cannot_be_together_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--database", f"sqlite:///{tmp_path}/v.db", "--storage", str(tmp_path), "--port", "0"]
    assert main(["serve", "--processes", "2", "--grpc-port", "0", *place]) == OptionError.exit_code
    assert "single process" in capsys.readouterr().err
