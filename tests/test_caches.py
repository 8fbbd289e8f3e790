"""Folders of the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cocal.caches import KEPT, keyed_folder, user_cache


def test_the_last_used_folders_are_kept(tmp_path: Path):
    for n in range(KEPT + 1):
        os.utime(keyed_folder(tmp_path, f"old{n}"), (n, n))
    keyed_folder(tmp_path, "old0")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"old{n}" for n in range(KEPT + 1))
    keyed_folder(tmp_path, "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["new", "old0", *(f"old{n}" for n in range(2, KEPT + 1))]
    )


def test_the_users_cache_is_where_the_system_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache("code") == tmp_path / "cocal" / "code"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert user_cache("code") == tmp_path / "home" / ".cache" / "cocal" / "code"
