"""What the demo is made of: a site that is ill when its host is too small, and the picture."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from services.cli.demo.picture import Row, picture
from services.cli.demo.site import health
from services.cli.demo.sites import Print, configuration


def test_a_site_is_as_healthy_as_its_host_is_large(tmp_path: Path) -> None:
    """It reads its file at every request, and says why it cannot run with it."""
    config = tmp_path / "site.conf"
    config.write_text(configuration("2", 8))
    assert health(config, 8) == (200, {"healthy": True, "version": "2", "workers": 8})
    status, said = health(config, 7)
    assert (status, said["healthy"]) == (503, False)
    assert "8 workers do not fit" in said["reason"]


def test_a_site_says_what_is_wrong_with_its_file(tmp_path: Path) -> None:
    """A file that is missing or means nothing is no reason to end."""
    config = tmp_path / "site.conf"
    for text in (
        None,
        "nonsense",
        "[site]\nversion = 1\nworkers = many\n",
        "[site]\nversion = 1\n",
    ):
        if text is not None:
            config.write_text(text)
        status, said = health(config, 8)
        assert (status, said["healthy"]) == (503, False)
        assert "of no use" in said["reason"]


def test_a_print_tells_the_smallest_change(tmp_path: Path) -> None:
    """Another byte or another mode is another print."""
    file = tmp_path / "f"
    file.write_bytes(b"one")
    file.chmod(0o640)
    before = Print.of(file)
    assert before == Print.of(file)
    file.chmod(0o600)
    assert before != Print.of(file)
    file.chmod(0o640)
    file.write_bytes(b"onE")
    assert before != Print.of(file)


def test_the_picture_says_what_became_of_each_host() -> None:
    """Put back, untouched, or, in red, not what it was."""
    rows = [
        Row("db-1", True, "11111111 0640", "completed", "", "11111111 0640", True),
        Row("ops-1", False, "22222222 0600", "failed", "status 503", "22222222 0600", True),
        Row("web-1", False, "33333333 0644", "", "", "33333333 0644", True),
        Row("bad-1", False, "44444444 0644", "failed", "x" * 80, "55555555 0644", False),
    ]
    console = Console(width=160, record=True, file=StringIO())
    console.print(picture(rows))
    lines = console.export_text().splitlines()
    assert "canary" in next(line for line in lines if "db-1" in line)
    assert "put back" in next(line for line in lines if "ops-1" in line)
    assert "never begun" in next(line for line in lines if "web-1" in line)
    assert "not what it was" in next(line for line in lines if "bad-1" in line)
    assert "not what it was" in lines[0]
    console.print(picture(rows[:3]))
    assert "byte for byte" in console.export_text()
