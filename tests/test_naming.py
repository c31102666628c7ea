"""Names by the convention."""

import pytest

from app import naming

TABLES = {
    "RCA": "rcas",
    "AuditLog": "audit_logs",
    "RCASolution": "rca_solutions",
    "Category": "categories",
    "Person": "people",
    "OAuth2Token": "oauth2_tokens",
    "APIKey": "api_keys",
    "HTTPRequest": "http_requests",
    "Status": "statuses",
    "Tenant": "tenants",
}


@pytest.mark.parametrize(("model", "table"), TABLES.items())
def test_a_model_has_a_plural_snake_case_table(model: str, table: str) -> None:
    assert naming.table_name(type(model, (), {})) == table


@pytest.mark.parametrize("table", TABLES.values())
def test_a_plural_is_its_own_plural(table: str) -> None:
    assert naming.plural(table) == table


@pytest.mark.parametrize(
    ("attribute", "column"),
    [("title", "title"), ("equipmentType", "equipment_type"), ("RCAId", "rca_id"), ("line2", "line2")],
)
def test_an_attribute_has_a_snake_case_column(attribute: str, column: str) -> None:
    assert naming.column_name(attribute) == column


def test_an_index_says_what_it_is_and_where() -> None:
    assert naming.index_name("rcas", ["tenant_id", "status"]) == "idx_rcas_tenant_id_status"
    assert naming.index_name("rcas", ["code"], unique=True, alive=True) == "uniq_rcas_code_alive"


def test_a_second_key_to_a_table_appends_its_column() -> None:
    assert naming.foreign_key_name("rcas", "people") == "fk_rcas_people"
    assert naming.foreign_key_name("rcas", "people", "closed_by_id") == "fk_rcas_people_closed_by_id"


def test_a_check_says_what_holds() -> None:
    assert naming.check_name("tenants", "status_valid") == "chk_tenants_status_valid"


def test_a_long_name_is_shortened_to_what_postgresql_keeps_and_stays_unique() -> None:
    columns = ["a_rather_long_column_name_number_1", "a_rather_long_column_name_number_2"]
    one, other = naming.index_name("rcas", columns), naming.index_name("rcas", columns[::-1])
    assert len(one) <= naming.MAX_LENGTH
    assert one != other
    assert naming.is_conventional(one)


@pytest.mark.parametrize("name", ["Title", "equipmentType", "_x", "x__y", "x_", "1x", "ä", "x" * 64, ""])
def test_other_names_are_outside_the_convention(name: str) -> None:
    assert not naming.is_conventional(name)
