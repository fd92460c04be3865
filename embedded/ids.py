"""Fixed ids, so that conversations outlive a restart, and fresh ones of the same form."""

import secrets
import string

ALPHABET = string.ascii_letters + string.digits + "_-"

ANA = "5IvyF2zFCRTN2K3SN5lV5"
BO = "NkF88LPB0VfmdWzENA9Qw"
OLU = "x_6nWx-ZThhqtk7Zu2R7I"
GIL = "QBBMf9sjfo55a396pkE7p"

ECHO = "nzS9kT2brd78r31htKpwh"
STORYTELLER = "VPGuSf454qg6ySi7rUrWP"
FILE_MANAGER = "m-KUJScdq7jd3noxrWgY6"
GITHUB_HELPER = "D4PZAesPYM4DtCLz8Oa7k"
WEATHER_DESK = "YwYuCMJ3BL7UAYNZW1J5s"
NOTES_KEEPER = "UdLTngTBkFGKa_0FWxtOb"
UNLUCKY = "tWHO4XrSOx1_vK6bPXgff"
RETIRED_HELPER = "tmn7gpmr8VowqZu5rxe7j"
SHOWCASE = "8kWmZc3_qRtYv1LxPnB5d"
METRONOME = "Ot8zkPXmMhJ4KxxUhnf9z"

GITHUB = "5gpoDp8zFzt9J3w7aXfh0"
WEATHER = "oSQI5WhKu6PDsYBgMw_lb"
NOTION = "ypKX7WRgwL9TlPdvi27cm"

FILES = "mY3C4tAyWeLMIGOmZDA0R"  # the tool provider behind the MCP proxy
RETIRED_TOOLS = "uOxpXgcnBbpw7C64yxxnz"


def new_id() -> str:
    """21 characters of the alphabet that the gateway's ids are made of."""
    return "".join(secrets.choice(ALPHABET) for _ in range(21))
