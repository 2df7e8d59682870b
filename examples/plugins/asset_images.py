"""Images of a scheme of one's own: ``Image("asset://ant.png")`` is a file of one folder."""

from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from attrs import field, frozen

from hookline import Image, InputError, Request, Turn, hookimpl
from hookline.plugin import option, read_file
from hookline.values import Block


@frozen
class AssetImages:
    """Resolves ``asset://NAME``; what lies outside of the folder is never read.

    Attributes:
        folder: where the files are.
        most_bytes: how large a file may be.

    """

    contract = ">=1,<2"
    before = ("images",)
    samples = ("asset://ant.png",)
    sample_options: ClassVar = {
        "folder": str(Path(__file__).parents[1])
    }  # where check-plugin finds it
    folder: str = "assets"
    most_bytes: int = field(default=10_000_000, metadata=option(harmless=True, above=0))

    @hookimpl
    async def resolve_images(self, turn: Turn, request: Request) -> Request:
        """Put the file's bytes in the place of each image of the scheme."""

        async def resolved(block: Block) -> Block:
            if not isinstance(block, Image) or block.scheme != "asset":
                return block
            path = self._path(str(block.source).partition("://")[2])
            return block.evolve(source=await turn.io.run_blocking(self._read, path))

        return await request.map_media(resolved, turn.io)

    def _path(self, name: str) -> Path:
        folder = Path(self.folder).resolve()
        with suppress(OSError, ValueError):  # too long for a path, or none at all
            path = (folder / name).resolve()
            if path.is_relative_to(folder) and path.is_file():
                return path
        raise InputError(f"there is no asset {name[:100]!r}")

    def _read(self, path: Path) -> bytes:
        return read_file(path, most=self.most_bytes)
