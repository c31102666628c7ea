"""What Prometheus is told by one process; tests/pool/test_serving.py adds up two."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app import metrics
from app.database import db
from app.tenants import Tenant
from tests.factories import bearer, make_rca
from tests.pool.conftest import eventually

Samples = dict[tuple[str, ...], float]


def samples(client: FlaskClient) -> Samples:
    """Each sample by its name and its labels' values."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_requests_are_counted_by_endpoint_method_and_status(client: FlaskClient) -> None:
    counted = ("fixapp_http_request_seconds_count", "health.live", "GET", "200")
    before = samples(client).get(counted, 0)
    client.get("/health/live")
    assert samples(client)[counted] == before + 1


@pytest.mark.parametrize("path", ["/nowhere", "/nowhere/else/0c8b4f1e"])
def test_paths_nobody_serves_are_one_endpoint(client: FlaskClient, path: str) -> None:
    client.get(path)
    assert not [name for name in samples(client) if any("nowhere" in label for label in name)]


def test_a_method_nobody_knows_is_no_label_of_its_own(client: FlaskClient) -> None:
    client.open("/health/live", method="BREW")
    assert not [name for name in samples(client) if "BREW" in name]


def test_statements_are_counted_for_each_request(app: Flask, client: FlaskClient, acme: Tenant) -> None:
    path, header = f"/api/v1/rcas/{make_rca(acme).id}", bearer(app, acme)
    client.get(path, headers=header)  # finds the tenant, which is kept for some seconds
    before = _statements(client)
    client.get(path, headers=header)
    grown = {name: value - before.get(name, 0) for name, value in _statements(client).items()}
    assert sum(value for (name, *_), value in grown.items() if name.endswith("_sum")) == 1


def _statements(client: FlaskClient) -> Samples:
    return {
        name: value
        for name, value in samples(client).items()
        if "statements" in name[0] and "rcas" in name[1]
    }


@pytest.mark.parametrize("name", metrics.STATES)
def test_the_pools_states_are_told_as_they_are(client: FlaskClient, acme: Tenant, name: str) -> None:
    eventually(lambda: samples(client)[f"fixapp_db_{name}",] == db.stats()[name])


def test_the_pools_sums_outlive_the_pool(client: FlaskClient, acme: Tenant) -> None:
    before = samples(client)["fixapp_db_requests_num_total",]
    db.close()
    db.close_all()
    make_rca(acme)
    assert samples(client)["fixapp_db_requests_num_total",] > before


def test_without_a_request_statements_are_nobodys(acme: Tenant) -> None:
    make_rca(acme)
