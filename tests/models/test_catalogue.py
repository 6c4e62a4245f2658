import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.base.errors import UserMistake
from tasks.models.catalogue import DATA, Catalogue, Served, load_catalogue

SERIES = Path(__file__).with_name("mistral-series.csv")
PROVIDERS = """
[[providers]]
name = "somewhere"
title = "Somewhere"
wire = "openai"
base_url = "http://127.0.0.1:1/v1"

[[providers]]
name = "elsewhere"
title = "Elsewhere"
wire = "openai"
"""
MODEL = """
[[models]]
name = "Model-One"
series = "Series"
subtype = "Chat"
tokenizer = "mistral-v1"
template = "mistral-v1"
aliases = ["one"]

[[models.routes]]
provider = "somewhere"
id = "vendor/model-one"
context = 4096
max_answer = 4096
"""
HALF_A_PRICE = 'input_price = 1.0\nprice_checked = 2026-11-01\nprice_source = "a page"'


def rows() -> Iterator[tuple[str, str, str, str, int | None, int | None]]:
    """The published table: series, model, provider, subtype, context and answer limit (None is unknown)."""
    with SERIES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            limits = [int(row[key]) if row[key] else None for key in ("max_tokens", "max_response_tokens")]
            yield row["series"], row["model"], row["provider"].lower(), row["subtype"], limits[0], limits[1]


def written(folder: Path, models: str = MODEL, providers: str = PROVIDERS) -> Path:
    (folder / "models.toml").write_text(models, encoding="utf-8")
    (folder / "providers.toml").write_text(providers, encoding="utf-8")
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(UserMistake) as refused:
        load_catalogue(folder)
    return str(refused.value)


def test_the_published_table_is_whole() -> None:
    table = list(rows())
    assert len(table) == 39
    assert len({model for _, model, *_ in table}) == 30


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: f"{row[1]} at {row[2]}")
def test_every_row_of_the_published_table_is_in_the_catalogue(
    row: tuple[str, str, str, str, int | None, int | None],
) -> None:
    series, name, provider, subtype, context, max_answer = row
    model = next(model for model in load_catalogue().models if model.name == name)
    assert (model.series, model.subtype) == (series, subtype)
    (served,) = (route for route in model.routes if route.provider == provider)
    assert (served.context, served.max_answer) == (context, max_answer)


def test_of_the_tables_providers_the_catalogue_has_what_it_has_and_nothing_else() -> None:
    told = {provider for _, _, provider, *_ in rows()}
    routes = {
        (model.series, model.name, route.provider, model.subtype, route.context, route.max_answer)
        for model, route in load_catalogue().routes()
        if route.provider in told
    }
    assert routes == set(rows())
    assert len(routes) == 39
    assert len({name for _, name, *_ in routes}) == 30


def test_the_local_models_are_served_here_alone() -> None:
    here = [(model.name, len(model.routes)) for model, route in load_catalogue().routes() if route.provider == "local"]
    assert here == [("SmolLM2-135M-Instruct", 1), ("wordllama", 1)]


def test_every_known_price_says_when_and_where_it_was_read() -> None:
    prices = [route.price for _, route in load_catalogue().routes() if route.price and route.provider != "local"]
    assert prices
    for price in prices:
        assert price.checked is not None
        assert price.source
        assert price.input > 0
        assert price.output > 0


def test_a_price_that_is_not_given_is_unknown_and_not_zero() -> None:
    assert Served(provider="somewhere").price is None


@pytest.mark.parametrize("name", ["mistral-large", "MISTRAL-LARGE", "Mistral-Large"])
def test_models_are_found_whatever_the_case(name: str) -> None:
    found = load_catalogue().find(name)
    assert found is not None
    assert found.name == "mistral-large"


def test_a_model_is_found_by_its_alias_and_by_a_providers_own_id(tmp_path: Path) -> None:
    catalogue = load_catalogue(written(tmp_path))
    (model,) = catalogue.models
    assert catalogue.find("ONE") is model
    assert catalogue.find("Vendor/Model-One") is model
    assert catalogue.find("two") is None


def test_every_model_of_the_catalogue_is_found_by_its_own_name() -> None:
    catalogue = load_catalogue()
    assert all(catalogue.find(model.name) is model for model in catalogue.models)
    assert all(catalogue.find(alias) is model for model in catalogue.models for alias in model.aliases)


def test_an_unknown_provider_is_answered_with_those_there_are() -> None:
    catalogue = load_catalogue()
    assert catalogue.provider("OpenRouter").name == "openrouter"
    with pytest.raises(UserMistake) as refused:
        catalogue.provider("nobody")
    assert "'nobody'" in str(refused.value)
    assert all(provider.name in str(refused.value) for provider in catalogue.providers)


def test_a_small_catalogue_is_read_as_it_is_written(tmp_path: Path) -> None:
    catalogue = load_catalogue(written(tmp_path))
    assert isinstance(catalogue, Catalogue)
    assert [provider.name for provider in catalogue.providers] == ["somewhere", "elsewhere"]
    ((model, route),) = catalogue.routes()
    assert (model.name, route.id, route.context) == ("Model-One", "vendor/model-one", 4096)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('id = "vendor/model-one"', 'idd = "x"', "routes.0.idd"),
        ('series = "Series"', 'series = "Series"\ncontext = 1', "context"),
        ('series = "Series"', "", "series"),
        ('subtype = "Chat"', 'subtype = "Chatty"', "subtype"),
        ('tokenizer = "mistral-v1"', 'tokenizer = "tekken"', "no tokenizer is called 'tekken'"),
        ('template = "mistral-v1"', 'template = "jinja"', "no template is called 'jinja'"),
        ("context = 4096", "context = 0", "routes.0.context"),
        ("context = 4096", "context = -1", "routes.0.context"),
        ("context = 4096", 'context = "wide"', "routes.0.context"),
        ("context = 4096", "context = 2048", "max_answer 4096 is more than the context 2048"),
        ("max_answer = 4096", "max_answer = 0", "routes.0.max_answer"),
        ("context = 4096", "input_price = -1.0", "routes.0.input_price"),
        ("context = 4096", "input_price = 1.0", "a price needs price_checked and price_source"),
        ("context = 4096", "output_price = 1.0", "an output_price needs an input_price"),
        ("context = 4096", HALF_A_PRICE, "somewhere: one of input_price and output_price is missing"),
        ('provider = "somewhere"', 'provider = "nowhere"', "no provider 'nowhere' in providers.toml"),
    ],
)
def test_an_impossible_model_is_refused_with_the_file_and_its_name(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    said = refusal(written(tmp_path, MODEL.replace(old, new, 1)))
    assert said.startswith(f"{tmp_path / 'models.toml'}: ")
    assert "Model-One" in said
    assert words in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('title = "Somewhere"', 'title = "Somewhere"\ncolour = "red"', "colour"),
        ('title = "Somewhere"', "", "title"),
        ('wire = "openai"', 'wire = "telegraph"', "wire"),
        ('wire = "openai"', 'wire = "openai"\nconcurrency = 0', "concurrency"),
        ('wire = "openai"', 'wire = "openai"\nrequests_per_minute = 0', "requests_per_minute"),
        ('wire = "openai"', 'wire = "openai"\ntokens_per_minute = -5', "tokens_per_minute"),
    ],
)
def test_an_impossible_provider_is_refused_with_the_file_and_its_name(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    said = refusal(written(tmp_path, providers=PROVIDERS.replace(old, new, 1)))
    assert said.startswith(f"{tmp_path / 'providers.toml'}: somewhere: ")
    assert words in said


def test_an_embedding_model_needs_no_output_price(tmp_path: Path) -> None:
    text = MODEL.replace('"Chat"', '"Embedding"').replace("context = 4096", HALF_A_PRICE)
    ((_, route),) = load_catalogue(written(tmp_path, text)).routes()
    assert route.price is not None
    assert (route.price.input, route.price.output) == (1.0, 0.0)


def test_a_model_without_routes_is_refused(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, MODEL[: MODEL.index("[[models.routes]]")]))
    assert said.startswith(f"{tmp_path / 'models.toml'}: Model-One: routes: ")


def test_two_routes_to_one_provider_are_refused(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, MODEL + '[[models.routes]]\nprovider = "somewhere"\n'))
    assert "Model-One: " in said
    assert "two routes name one provider" in said


def test_an_entry_without_a_name_is_refused_by_its_number(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, MODEL + MODEL.replace('name = "Model-One"', "")))
    assert said.startswith(f"{tmp_path / 'models.toml'}: entry 2: name: ")


@pytest.mark.parametrize("double", ["model-one", "Model-One", "ONE"])
def test_a_name_or_alias_that_stands_twice_is_refused(tmp_path: Path, double: str) -> None:
    other = MODEL.replace("Model-One", "Model-Two").replace('"one"', f'"{double}"')
    said = refusal(written(tmp_path, MODEL + other))
    assert said == f"{tmp_path / 'models.toml'}: {double}: this name or alias stands twice"


def test_a_provider_that_stands_twice_is_refused(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, providers=PROVIDERS + PROVIDERS))
    assert said.startswith(f"{tmp_path / 'providers.toml'}: somewhere: ")


@pytest.mark.parametrize("name", ["models.toml", "providers.toml"])
def test_a_file_that_is_no_toml_is_refused_with_the_line(tmp_path: Path, name: str) -> None:
    (written(tmp_path) / name).write_text('[[models]]\nname = "a\n', encoding="utf-8")
    said = refusal(tmp_path)
    assert said.startswith(f"{tmp_path / name}: can't be read: ")
    assert "line 2" in said


@pytest.mark.parametrize("name", ["models.toml", "providers.toml"])
def test_a_file_that_is_no_utf8_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (written(tmp_path) / name).write_bytes(b"# \xff\n")
    assert refusal(tmp_path).startswith(f"{tmp_path / name}: can't be read: 'utf-8' codec")


@pytest.mark.parametrize("table", ["models", "providers"])
@pytest.mark.parametrize("text", ['[{}]\nname = "x"\n', '{} = "x"\n', "{} = [1]\n"])
def test_entries_that_are_no_tables_are_refused_with_how_to_write_them(tmp_path: Path, table: str, text: str) -> None:
    path = written(tmp_path) / f"{table}.toml"
    path.write_text(text.format(table), encoding="utf-8")
    assert refusal(tmp_path) == f"{path}: {table} is to be written as [[{table}]], a table for each"


@pytest.mark.parametrize("name", ["models.toml", "providers.toml"])
def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (written(tmp_path) / name).unlink()
    assert refusal(tmp_path).startswith(f"{tmp_path / name}: can't be read: ")


@pytest.mark.parametrize(("name", "table"), [("models.toml", "models"), ("providers.toml", "providers")])
def test_an_unknown_table_is_refused(tmp_path: Path, name: str, table: str) -> None:
    path = written(tmp_path) / name
    path.write_text(path.read_text(encoding="utf-8") + "\n[[extras]]\na = 1\n", encoding="utf-8")
    assert refusal(tmp_path) == f"{path}: unknown table 'extras': only [[{table}]]"


def test_the_shipped_catalogue_is_read_by_default() -> None:
    assert load_catalogue() == load_catalogue(DATA)


@pytest.mark.parametrize("value", ["inf", "nan", "2026-11-24"])
def test_extras_that_are_no_json_are_refused(tmp_path: Path, value: str) -> None:
    path = written(tmp_path) / "providers.toml"
    text = path.read_text(encoding="utf-8").replace("[[providers]]", f"[[providers]]\nextras = {{ top = {value} }}", 1)
    path.write_text(text, encoding="utf-8")
    assert "extras: not JSON" in refusal(tmp_path)
