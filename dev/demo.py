"""Two tenants with a few analyses each, so that there is something to see."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dev.command import flask
from dev.web import WebServer

PATH = "/api/v1/rcas"
TENANTS = {"acme": "Acme", "globex": "Globex"}
ANALYSES = {
    "acme": [
        {
            "title": "Feed pump P-101 trips on overload",
            "issue_description": "Three trips in one week, each about 40 minutes after a cold start.",
            "equipment_type": "centrifugal pump",
        },
        {
            "title": "Conveyor belt drifts to the left",
            "issue_description": "The edge frays at the tail pulley since the idlers were replaced.",
            "equipment_type": "belt conveyor",
        },
        {
            "title": "Compressor K-3 runs hot",
            "issue_description": "Discharge temperature climbs to 118 °C under full load, the limit is 105.",
            "equipment_type": "screw compressor",
        },
    ],
    "globex": [
        {
            "title": "Hydraulic press loses pressure overnight",
            "issue_description": "From 210 to 140 bar within eight hours, no oil on the floor.",
            "equipment_type": "hydraulic press",
        },
        {
            "title": "Gearbox noise on mixer M-2",
            "issue_description": "A knock once per turn of the output shaft since the last oil change.",
            "equipment_type": "planetary gearbox",
        },
    ],
}


def tenants(project: Path) -> dict[str, str]:
    """Create the tenants that are missing; return a token for each by subdomain.

    Raises DevError where a command of the application fails.
    """
    listed = json.loads(flask(project, "tenants", "list", "--json"))
    known = {tenant["subdomain"] for tenant in listed}
    with ThreadPoolExecutor() as pool:
        tokens = pool.map(lambda subdomain: _token(project, subdomain, subdomain in known), TENANTS)
        return dict(zip(TENANTS, tokens, strict=True))


def _token(project: Path, subdomain: str, known: bool) -> str:
    if not known:
        flask(project, "tenants", "create", TENANTS[subdomain], "--subdomain", subdomain, "--json")
    token: str = json.loads(flask(project, "tenants", "token", subdomain, "--json"))["token"]
    return token


def analyses(server: WebServer, tokens: Mapping[str, str]) -> str:
    """Store the analyses of every tenant that has none, through the API; say whose, if anybody's.

    Raises DevError where the API refuses one.
    """
    empty = [
        subdomain for subdomain, token in tokens.items() if not server.request("GET", PATH, token)["items"]
    ]
    for subdomain in empty:
        for analysis in ANALYSES[subdomain]:
            server.request("POST", PATH, tokens[subdomain], analysis)
    return f" {' and '.join(TENANTS[subdomain] for subdomain in empty)}, with analyses" if empty else ""
