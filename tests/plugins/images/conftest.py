"""What the tests of images share: pictures, and one message sent through the plugin."""

from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from typing import Any

import PIL.Image
import pytest

from hookline._io import SyncIO, drive
from hookline.models import load_models
from hookline.turn import Turn
from hookline.values import Base64Source, Block, ImageBlock, Message, Request
from hookline_plugins.images import Images
from support.spy import Spy

# Made with pillow-heif: 40x30, turned by its orientation to 30x40, with "CANARY" in its EXIF.
_HEIC = b64decode("""
AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAcdtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA
AAAAADRpbG9jAAAAAERAAAIAAQAAAAAB6wABAAAAAAAAADYAAgAAAAACIQABAAAAAAAAADgAAAA4aWluZgAAAAAAAgAAABVp
bmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAABBmlwcnAAAADlaXBjbwAAAHVo
dmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AAAAMAkAAA
AwAAAwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAA
AABAAAAAQAAAAChjbGFwAAAAKAAAAAEAAAAeAAAAAf///+gAAAAC////3gAAAAIAAAAQcGl4aQAAAAADCAgIAAAACWlyb3QD
AAAAGWlwbWEAAAAAAAAAAQABBoECAwWEhgAAABppcmVmAAAAAAAAAA5jZHNjAAIAAQABAAAAdm1kYXQAAAAyKAGvEyE7mva2
/Mt68Mx5GuMSLgqUGruyyc3G2uSBkdb6uz+7QL4GmzP8CSC2srbDSswAAAAGRXhpZgAATU0AKgAAAAgAAgEOAAIAAAAHAAAA
JgESAAMAAAABAAYAAAAAAABDQU5BUlkAAA==
""")


def _photo(size: tuple[int, int] = (40, 30), mode: str = "RGB") -> PIL.Image.Image:
    ramp = PIL.Image.linear_gradient("L").resize(size)
    return PIL.Image.merge("RGB", (ramp, ramp.rotate(90).resize(size), ramp)).convert(mode)


async def _no_network(*_: Any, **__: Any) -> Any:
    raise AssertionError("no network")


@pytest.fixture
def spy() -> Spy:
    """A plugin that notes what leaves."""
    return Spy()


@pytest.fixture
def photo() -> Callable[..., PIL.Image.Image]:
    """A picture with a gradient, so that turning and scaling show."""
    return _photo


@pytest.fixture
def made() -> Callable[..., bytes]:
    """The file of such a picture."""

    def file(
        form: str = "JPEG", size: tuple[int, int] = (40, 30), mode: str = "RGB", **save: Any
    ) -> bytes:
        out = BytesIO()
        _photo(size, mode).save(out, form, **save)
        return out.getvalue()

    return file


@pytest.fixture
def turn() -> Callable[..., Turn]:
    """A turn that has no network; its io may be another one."""

    def new(**fields: Any) -> Turn:
        fields.setdefault("io", SyncIO(_no_network))
        return Turn(id="t", models=load_models(), **fields)

    return new


@pytest.fixture
def resolve(turn: Any) -> Callable[..., tuple[Block, ...]]:
    """Send one message through the plugin and return its blocks."""

    def blocks(
        *content: Any, plugin: Images | None = None, model: str = "claude-opus-5-5", **options: Any
    ) -> tuple[Block, ...]:
        request = Request(model, 10, [Message("user", list(content))])
        fields = {name: options.pop(name) for name in ("context", "trace") if name in options}
        new = drive((plugin or Images(**options)).resolve_images(turn(**fields), request))
        return (new or request).messages[0].blocks

    return blocks


@pytest.fixture
def bytes_of() -> Callable[[Block], bytes]:
    """The file that an image block holds."""
    from binascii import a2b_base64

    def file(block: Block) -> bytes:
        assert isinstance(block, ImageBlock)
        assert isinstance(block.source, Base64Source)
        return a2b_base64(block.source.data, strict_mode=True)

    return file


@pytest.fixture
def opened(bytes_of: Any) -> Callable[[Block], PIL.Image.Image]:
    """The picture that an image block holds."""

    def picture(block: Block) -> PIL.Image.Image:
        image = PIL.Image.open(BytesIO(bytes_of(block)))
        image.load()
        return image

    return picture


@pytest.fixture
def heic() -> bytes:
    """A HEIC image of 40x30, turned to 30x40 by its orientation, with CANARY in its EXIF."""
    return _HEIC
