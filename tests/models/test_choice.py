from pathlib import Path

import pytest

from tasks.base.errors import UserMistake
from tasks.models.candidates import Candidate, RouteRequest, candidates
from tasks.models.catalogue import Catalogue, load_catalogue
from tasks.models.price import Price
from tasks.models.route import Route, resolve
from tests.models.test_catalogue import MODEL, PROVIDERS, written

HERE = "SmolLM2-135M-Instruct"
EVERYONE = ("local", "openai-compatible", "apipie", "openrouter")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def chosen(
    model: str | None = None,
    provider: str | None = None,
    available: tuple[str, ...] = EVERYONE,
    local_model: str = HERE,
) -> Candidate:
    return candidates(RouteRequest(model, provider), load_catalogue(), available, local_model)[0]


def resolved(
    candidate: Candidate,
    *,
    told: int | None = None,
    context: int | None = None,
    max_answer: int = 512,
    price: Price | None = None,
    gguf: str | None = None,
) -> Route:
    return resolve(candidate, told=lambda: told, context=context, max_answer=max_answer, price=price, gguf=gguf)


def window(candidate: Candidate, *, told: int | None = None, context: int | None = None) -> int:
    return resolved(candidate, told=told, context=context).window.context


class TestChoosing:
    def test_without_a_wish_and_without_a_key_the_local_model_runs(self) -> None:
        candidate = chosen(available=("local",))
        assert (candidate.provider.name, candidate.name) == ("local", HERE)

    def test_without_a_wish_every_chat_route_behind_a_key_is_a_candidate(self, catalogue: Catalogue) -> None:
        found = candidates(RouteRequest(), catalogue, ("local", "apipie", "bedrock"), HERE)
        assert {one.model.subtype for one in found if one.model} == {"Chat"}
        chat = [row for model, row in catalogue.routes() if model.subtype == "Chat" and row.provider != "local"]
        assert len([one for one in found if one.upstream]) == len(chat)
        assert {one.provider.name for one in found if not one.upstream} == {"bedrock"}

    def test_a_model_is_at_all_its_providers_with_a_key_straight_before_through_the_aggregator(self) -> None:
        found = candidates(RouteRequest("mistral-large"), load_catalogue(), EVERYONE, HERE)
        assert [one.label for one in found] == [
            "openrouter/mistral-large", "apipie@openrouter/mistral-large", "apipie@bedrock/mistral-large",
        ]  # fmt: skip

    def test_a_pool_of_the_aggregator_is_asked_for_by_its_name(self) -> None:
        candidate = chosen("my-pool", "apipie@pool")
        assert (candidate.upstream, candidate.id, candidate.served) == ("pool", "my-pool", None)

    def test_another_subtype_may_be_wished_for(self, catalogue: Catalogue) -> None:
        found = candidates(RouteRequest(subtype="Code"), catalogue, ("apipie",), HERE)
        assert {one.name for one in found} == {"codestral-mamba"}

    def test_auto_is_the_same_as_no_provider(self) -> None:
        assert chosen(provider="auto") == chosen()
        assert chosen("mistral-large", "AUTO") == chosen("mistral-large")

    def test_the_local_model_by_name_runs_here_even_with_a_key(self) -> None:
        assert chosen(HERE.upper()).provider.name == "local"

    def test_an_unknown_model_goes_to_the_server_first(self) -> None:
        assert chosen("somebody/some-model").provider.name == "openai-compatible"

    def test_each_takes_the_others_place_where_it_has_no_key(self) -> None:
        server = ("local", "openai-compatible")
        assert chosen("mistral-large", available=server).provider.name == "openai-compatible"
        assert chosen("somebody/some-model", available=("local", "apipie")).provider.name == "apipie"

    def test_a_model_that_no_key_reaches_is_refused_with_the_variables(self) -> None:
        with pytest.raises(UserMistake, match=r"mistral-large: set APIPIE_API_KEY, .*OPENAI_BASE_URL"):
            chosen("mistral-large", available=("local",))

    def test_a_server_without_a_model_is_asked_for_its_list(self) -> None:
        with pytest.raises(UserMistake, match=r"openai-compatible needs --model: .*GET /models"):
            chosen(available=("local", "openai-compatible"))

    @pytest.mark.parametrize("provider", ["bedrock", "apipie"])
    def test_a_provider_without_a_model_lists_its_models(self, catalogue: Catalogue, provider: str) -> None:
        with pytest.raises(UserMistake) as refused:
            chosen(provider=provider)
        said = str(refused.value)
        assert said.startswith(f"--provider {provider} needs --model: ")
        listed = set(said.partition("--model: ")[2].split(", "))
        assert listed == {
            model.name
            for model, route in catalogue.routes()
            if model.subtype != "Embedding" and route.provider != "local" and provider in {route.provider, "apipie"}
        }

    def test_an_unknown_provider_is_refused(self) -> None:
        with pytest.raises(UserMistake, match="no provider is called 'nobody'"):
            chosen("mistral-large", "nobody")

    def test_the_local_provider_serves_its_own_model_only(self) -> None:
        assert chosen(provider="local").name == HERE
        with pytest.raises(UserMistake, match=rf"serves {HERE}, not 'mistral-large'.*DOCMILL_LOCAL_MODEL"):
            chosen("mistral-large", "local")

    def test_another_local_file_is_called_by_its_name(self) -> None:
        candidate = chosen(provider="local", local_model="my-model")
        assert (candidate.name, candidate.model) == ("my-model", None)

    def test_an_embedding_model_writes_no_text(self) -> None:
        with pytest.raises(UserMistake, match="1024__mistral-embed is an embedding model"):
            chosen("1024__mistral-embed", "edenai")

    def test_names_are_taken_whatever_their_case(self) -> None:
        candidate = chosen("MISTRAL-LARGE", "APIpie@Bedrock")
        assert (candidate.name, candidate.id, candidate.upstream) == ("mistral-large", "mistral-large", "bedrock")

    def test_an_upstream_must_be_known_and_behind_the_aggregator(self) -> None:
        with pytest.raises(UserMistake, match="no provider is called 'nobody'"):
            chosen("mistral-large", "apipie@nobody")
        with pytest.raises(UserMistake, match="openrouter@bedrock: only apipie routes to other providers"):
            chosen("mistral-large", "openrouter@bedrock")

    def test_an_upstream_that_does_not_serve_the_model_is_refused_with_those_that_do(
        self, catalogue: Catalogue
    ) -> None:
        model = catalogue.find("mistral-nemo")
        assert model is not None
        with pytest.raises(UserMistake) as refused:
            chosen("mistral-nemo", "apipie@bedrock")
        places = ", ".join(row.provider for row in model.routes)
        assert str(refused.value) == f"bedrock doesn't serve mistral-nemo: it is at {places}"

    def test_a_model_outside_the_catalogue_goes_on_the_wire_as_typed(self) -> None:
        candidate = chosen("Somebody/Some-Model", "openai-compatible")
        assert (candidate.id, candidate.model, candidate.served) == ("Somebody/Some-Model", None, None)

    def test_a_providers_own_id_goes_on_the_wire(self, tmp_path: Path) -> None:
        small = load_catalogue(written(tmp_path))
        candidate = candidates(RouteRequest("one", "somewhere"), small, ("somewhere",), HERE)[0]
        assert (candidate.name, candidate.id) == ("Model-One", "vendor/model-one")


class TestWindows:
    def test_the_catalogues_row_comes_first(self) -> None:
        assert window(chosen("mistral-large", "openrouter")) == 128_000
        assert window(chosen("mistral-large", "openrouter"), told=4096) == 128_000

    def test_an_upstream_has_its_own_window(self) -> None:
        assert window(chosen("mistral-large", "apipie@bedrock")) == 8192
        assert window(chosen("mistral-large", "apipie@openrouter")) == 128_000

    def test_automatic_routing_has_the_smallest_window_of_the_models_routes(self) -> None:
        assert window(chosen("mistral-large", "apipie")) == 8192

    def test_what_the_server_tells_comes_before_the_catalogues_other_rows(self) -> None:
        candidate = chosen("mistral-large", "openai-compatible")
        assert window(candidate, told=65_536) == 65_536
        assert window(candidate) == 8192

    def test_the_users_word_comes_last(self) -> None:
        candidate = chosen("somebody/some-model", "openai-compatible")
        assert window(candidate, told=16_384) == 16_384
        assert window(candidate, context=4096) == 4096

    @pytest.mark.parametrize(
        ("model", "provider"),
        [("somebody/some-model", "openai-compatible"), ("small", "edenai"), ("small", "apipie@edenai")],
    )
    def test_a_window_that_nobody_tells_is_asked_of_the_user(self, model: str, provider: str) -> None:
        with pytest.raises(UserMistake) as refused:
            resolved(chosen(model, provider))
        assert "--context N" in str(refused.value)
        assert model in str(refused.value)

    @pytest.mark.parametrize(("context", "got"), [(4096, 4096), (8192, 8192), (8193, 8192), (1_000_000, 8192)])
    def test_the_users_word_narrows_a_known_window_and_never_widens_it(self, context: int, got: int) -> None:
        assert window(chosen("mistral-large", "apipie@bedrock"), context=context) == got
        assert window(chosen("mistral-large", "apipie"), context=context) == got
        assert window(chosen("somebody/some-model", "openai-compatible"), told=8192, context=context) == got

    def test_the_server_is_not_asked_what_the_catalogue_knows(self) -> None:
        def ask() -> int:
            raise AssertionError("asked")

        route = resolve(chosen("mistral-large", "openrouter"), told=ask, context=None, max_answer=512, price=None)
        assert route.window.context == 128_000

    def test_an_answer_is_never_longer_than_the_route_allows(self) -> None:
        candidate = chosen("Mistral-7B-Instruct-v0.3", "openrouter")
        assert resolved(candidate, max_answer=6000).window.max_answer == 4096
        assert resolved(candidate, max_answer=100).window.max_answer == 100

    def test_automatic_routing_has_the_smallest_answer_limit_of_the_models_routes(self, tmp_path: Path) -> None:
        aggregator = '[[providers]]\nname = "apipie"\ntitle = "APIpie"\nwire = "apipie"\naggregator = true\n'
        text = MODEL + '\n[[models.routes]]\nprovider = "elsewhere"\ncontext = 8192\nmax_answer = 1024\n'
        small = load_catalogue(written(tmp_path, text, PROVIDERS + aggregator))
        automatic = candidates(RouteRequest("one", "apipie"), small, ("apipie",), HERE)[0]
        assert resolved(automatic, max_answer=1500).window.max_answer == 1024
        assert resolved(automatic, max_answer=100).window.max_answer == 100
        fixed = candidates(RouteRequest("one", "apipie@somewhere"), small, ("apipie",), HERE)[0]
        assert resolved(fixed, max_answer=1500).window.max_answer == 1500

    def test_an_answer_that_leaves_no_room_is_refused_with_the_option(self) -> None:
        with pytest.raises(UserMistake, match="--max-output-tokens 4096 leaves no room in the 8192 tokens"):
            resolved(chosen("mistral-large", "apipie@bedrock"), max_answer=4096)
        assert resolved(chosen("mistral-large", "apipie@bedrock"), max_answer=4095).window.room(0) == 4097


class TestTheRestOfARoute:
    def test_a_route_says_who_serves_what_by_which_vocabulary(self) -> None:
        route = resolved(chosen("mistral-nemo", "apipie@openrouter"))
        assert (route.provider, route.model, route.id, route.upstream) == (
            "apipie", "mistral-nemo", "mistral-nemo", "openrouter",
        )  # fmt: skip
        assert (route.tokenizer, route.template) == ("tekken-240718", "mistral")

    def test_the_tokenizer_follows_the_models_name_wherever_it_is_served(self) -> None:
        route = resolved(chosen("mistral-nemo", "openai-compatible"))
        assert (route.tokenizer, route.template) == ("tekken-240718", "mistral")

    def test_an_unknown_model_is_counted_by_the_bound(self) -> None:
        route = resolved(chosen("somebody/some-model", "openai-compatible"), context=4096)
        assert (route.tokenizer, route.template) == ("utf8-bytes", "unknown")

    def test_the_local_model_is_counted_by_its_own_file(self) -> None:
        assert resolved(chosen(provider="local"), gguf="/models/a.gguf").tokenizer == "gguf:/models/a.gguf"

    def test_a_price_is_that_of_the_row(self, catalogue: Catalogue) -> None:
        model = catalogue.find("mistral-large")
        assert model is not None
        prices = {row.provider: row.price for row in model.routes}
        assert prices["bedrock"] is not None
        assert resolved(chosen("mistral-large", "apipie@bedrock")).price == prices["bedrock"]
        assert resolved(chosen("mistral-large", "openrouter")).price == prices["openrouter"]

    def test_a_price_given_by_the_user_comes_first(self) -> None:
        given = Price(1, 2, source="--price")
        assert resolved(chosen("mistral-large", "openrouter"), price=given).price == given

    def test_automatic_routing_may_cost_what_the_dearest_route_costs(self, catalogue: Catalogue) -> None:
        model = catalogue.find("mistral-large")
        assert model is not None
        price = resolved(chosen("mistral-large", "apipie")).price
        assert price is not None
        assert price.input == max(row.price.input for row in model.routes if row.price)
        assert price.output == max(row.price.output for row in model.routes if row.price)

    @pytest.mark.parametrize(
        ("model", "provider"),
        [("mistral-large", "openai-compatible"), ("somebody/some-model", "apipie"), ("tiny", "edenai")],
    )
    def test_an_unknown_price_is_none(self, model: str, provider: str) -> None:
        assert resolved(chosen(model, provider), context=4096).price is None

    def test_one_unknown_route_makes_the_automatic_price_unknown(self, tmp_path: Path) -> None:
        priced = 'input_price = 1.0\noutput_price = 2.0\nprice_checked = 2026-11-01\nprice_source = "a page"\n'
        behind = PROVIDERS.replace('name = "somewhere"', 'name = "apipie"\naggregator = true')
        text = MODEL.replace('"somewhere"', '"elsewhere"') + priced
        small = load_catalogue(written(tmp_path, text, behind))
        candidate = candidates(RouteRequest("one", "apipie"), small, ("apipie",), HERE)[0]
        known = resolved(candidate).price
        assert known is not None
        assert (known.input, known.output) == (1.0, 2.0)

        (tmp_path / "other").mkdir()
        third = '[[providers]]\nname = "third"\ntitle = "Third"\nwire = "openai"\n'
        text += '\n[[models.routes]]\nprovider = "third"\n'
        wider = load_catalogue(written(tmp_path / "other", text, behind + third))
        assert resolved(candidates(RouteRequest("one", "apipie"), wider, ("apipie",), HERE)[0]).price is None
