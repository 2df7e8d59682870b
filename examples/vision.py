"""Images: a file that is sent as base64, and a URL that the API fetches.

The simulator decodes what it is sent and reports format, size and mean colour, so a wrong image
would show.
"""

from pathlib import Path

from hookline import Image, Pipeline
from hookline.simulator import Scenario, Simulator
from hookline.values import ImageBlock

ANT = Path(__file__).with_name("ant.png")
ANT_URL = "https://images.example.com/ant.png"


def main() -> None:
    """Ask about one picture twice."""
    # The simulator fetches nothing; it is told which file stands behind the URL.
    simulator = Simulator(Scenario.of(urls={ANT_URL: ANT}))
    # Leave base_url out to talk to the API.
    with Pipeline(base_url=simulator, model="claude-haiku-4-5") as line:
        by_path = line.send([Image(ANT), "What is in the above image?"])
        by_url = line.send("What is in the above image?", images=[ANT_URL])

    sources = []
    for reply in (by_path, by_url):
        print(reply.text)
        (image, _) = reply.request.messages[0].blocks
        assert isinstance(image, ImageBlock)
        sources.append(image.source.type)
        assert "PNG" in reply.text
        assert "192" in reply.text
        assert "128" in reply.text
    assert sources == ["base64", "url"]


if __name__ == "__main__":
    main()
