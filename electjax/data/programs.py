"""Compiled programs, kept in files between processes: JAX's cache, which checks what it reads.

JAX itself never replaces an entry, so that a damaged one (a process killed while it wrote, a full disk) costs a warning
and a compilation in every process from then on.
"""

import contextlib
import os
import sys
from functools import cache as once
from hashlib import blake2b
from pathlib import Path

from electjax.data.files import atomic_path

_OFF = {"0", "off", "no", "none", "false"}
_FOLDER, _ENABLED = "jax_compilation_cache_dir", "jax_enable_compilation_cache"
_SECONDS = "jax_persistent_cache_min_compile_time_secs"
_DEFAULT_SECONDS = 1.0  # JAX's own; ours is 0: reading even the smallest program takes a third of compiling it
_SEAL = 16  # bytes at the end of an entry


class CheckedFiles:
    """Entries in the folder that JAX is told of, each with a digest; one that is damaged is removed."""

    _path = Path()  # JAX prints it

    def get(self, key: str) -> bytes | None:
        """The entry as it was put, or None."""
        with contextlib.suppress(OSError):
            file = _folder() / f"{key}-sealed"
            found = file.read_bytes()
            if _digest(found[:-_SEAL]) == found[-_SEAL:]:
                return found[:-_SEAL]
            file.unlink()
        return None

    def put(self, key: str, value: bytes) -> None:
        """Keep an entry, whole or not at all; a folder that cannot be written keeps none."""
        with contextlib.suppress(OSError), atomic_path(_folder() / f"{key}-sealed") as partial:
            partial.write_bytes(value + _digest(value))


def _folder() -> Path:
    import jax

    told = getattr(jax.config, _FOLDER)
    if not told:
        raise FileNotFoundError("no folder of compiled programs")
    return Path(told)


def cache(folder: str | os.PathLike[str] | None) -> None:
    """Keep compiled programs in this folder, so that a later process need not compile them again; None: keep none.

    Without a call, the first verb that computes keeps them in the user's cache folder, unless JAX was told of a folder
    (jax_compilation_cache_dir, JAX_COMPILATION_CACHE_DIR) or $ELECTJAX_CACHE names one, or says "off". A folder that
    cannot be written is no error. JAX runs what it finds there: let nobody else write to it.

    Args:
        folder: is made where it is not there.

    Example:
        >>> import electjax, jax, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     before = jax.config.jax_compilation_cache_dir
        ...     electjax.cache(folder)
        ...     jax.config.jax_compilation_cache_dir == folder
        ...     electjax.cache(before)
        True
    """
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    compilation_cache.reset_cache()  # JAX looks at its settings once, when it first compiles
    jax.config.update(_ENABLED, folder is not None)
    if folder is None:
        jax.config.update(_FOLDER, None)
        return
    place = Path(folder).expanduser().absolute()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a cache is a convenience
    jax.config.update(_FOLDER, str(place))
    if getattr(jax.config, _SECONDS) == _DEFAULT_SECONDS:
        jax.config.update(_SECONDS, 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # there is no public way to say how entries are read; a version of JAX without this one uses its own files
    with contextlib.suppress(ImportError, AttributeError):
        from jax._src import compilation_cache as engine

        engine._cache, engine._cache_initialized = CheckedFiles(), True  # type: ignore[assignment]


@once
def start_cache() -> None:
    """Begin to keep compiled programs, unless the user has chosen; only the first call does something."""
    import jax

    if getattr(jax.config, _FOLDER) or not getattr(jax.config, _ENABLED):
        return
    wanted = os.environ.get("ELECTJAX_CACHE", "")
    if wanted.lower() not in _OFF:
        import platformdirs

        cache(wanted or platformdirs.user_cache_path("electjax") / "jax")


def start_cache_of_jax() -> None:
    """The same, once something has loaded JAX."""
    if "jax" in sys.modules:
        start_cache()


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=_SEAL).digest()
