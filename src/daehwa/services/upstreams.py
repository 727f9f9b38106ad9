"""What both homes build of settings: upstreams, and the routes to them."""

from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.pacing import Beat
from daehwa.providers.routes import ModelRoute, RouteTarget
from daehwa.providers.upstream import LateKey, Patience, ServedModel, Upstream
from daehwa.settings import ConfiguredProvider, LoadedSettings, Settings


def build_upstream(
    configured: ConfiguredProvider,
    beat: Beat,
    values: Settings,
    *,
    late_key: LateKey | None = None,
    use_proxy: bool = True,
) -> OpenAIWireProvider:
    """Return the provider of a configured upstream, not yet connected."""
    settings = configured.settings
    upstream = Upstream(
        name=settings.name,
        base_url=configured.base_url,
        key=None if configured.key is None else configured.key.reveal(),
        late_key=late_key,
        headers={name: text.reveal() for name, text in configured.headers},
        models=tuple(ServedModel(name=name, context_window=settings.context_window) for name in settings.models),
        ca_file=None if settings.ca_file is None else str(settings.ca_file),
        extra_body=settings.extra_body,
        patience=Patience(
            connect=settings.connect_timeout, first_byte=settings.first_byte_timeout, idle=settings.idle_timeout
        ),
        continues_replies=settings.continues_replies,
        titles=settings.titles and values.titles,
        use_proxy=use_proxy,
        max_concurrent=settings.max_concurrent,
        completion_models=settings.completion_models,
    )
    return OpenAIWireProvider(upstream, beat=beat)


def build_routes(loaded: LoadedSettings) -> tuple[ModelRoute, ...]:
    """Return the configured aliases."""
    return tuple(
        ModelRoute(route.name, tuple(RouteTarget(model, weight) for model, weight in route.targets))
        for route in loaded.routes
    )
