"""What the features of one editor share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cachetools import LRUCache

from flyte_sidecar.events.delivery_leases import PERSON, DeliveryLeases
from flyte_sidecar.events.intern_pool import EventKey
from flyte_sidecar.events.live.backend_state import BackendState
from flyte_sidecar.events.live.background import BackgroundTasks
from flyte_sidecar.events.live.live_events import LiveEvents
from flyte_sidecar.events.model import Event, Scope
from flyte_sidecar.events.service import EventService
from flyte_sidecar.lsp import texts
from flyte_sidecar.lsp.answers import Answers
from flyte_sidecar.lsp.asking import Asking
from flyte_sidecar.lsp.bridge import Bridge
from flyte_sidecar.lsp.capabilities import ClientFeatures
from flyte_sidecar.lsp.commands import Commands
from flyte_sidecar.lsp.configuration import Configuration, Logins
from flyte_sidecar.lsp.followed_events import FollowedEvents
from flyte_sidecar.lsp.history import History
from flyte_sidecar.lsp.progress import BackendProgress, Progress
from flyte_sidecar.lsp.prompt_uris import prompt_uri
from flyte_sidecar.lsp.refreshes import Refreshes
from flyte_sidecar.lsp.settings import SECTION, Settings
from flyte_sidecar.lsp.window import Window
from flyte_sidecar.lsp.workspace_files import WorkspaceFiles

MAX_PROMPTS = 100
"""Number of documents of events that are refreshed."""

LENSES = "lenses"
"""What is refreshed besides documents, which have URIs."""


class Editor:
    """The state of the language server for one editor: a `SessionState`.

    Attributes
    ----------
    features
        What the editor supports.
    documents
        The open documents.
    client
        The editor's window.
    events, history
        The pending events of the current backend, and those of its recent runs.
    background
        Tasks that end with the session.
    files
        The files of the workspace that are not open.
    answers, commands
        Answer events for the person, and run the commands of lenses.
    """

    def __init__(
        self,
        bridge: Bridge,
        features: ClientFeatures,
        configuration: Configuration,
        logins: Logins,
        followed: FollowedEvents,
    ) -> None:
        self.features = features
        self.documents = bridge.documents
        self.client = Window(bridge.server, features)
        self.background = BackgroundTasks()
        self._configuration = configuration
        self._logins = logins
        self._configuring = False
        self._unapplied: list[object] = []
        self._refreshes = Refreshes(self.background, bridge.wait_for_room)
        self.files = WorkspaceFiles()
        self.answers = Answers(self)
        self.commands = Commands(self, self.answers)
        self._progress = Progress(self)
        self._backend_progress = BackendProgress(self, self._progress, logins)
        leases = DeliveryLeases(lambda: configuration.backends.state_folder, PERSON)
        if features.asks_itself:
            # A plugin can withdraw a question that is out of date.
            self._asking = Asking(self, self.client.ask_about, leases, max_stale=0)
        else:
            self._asking = Asking(self, self.answers.ask_about, leases)
        self._prompts: LRUCache[str, str] = LRUCache(MAX_PROMPTS)
        self._followed = followed
        self._show_events()
        followed.listen(self)

    @property
    def settings(self) -> Settings:
        return self._configuration.settings

    @property
    def events(self) -> LiveEvents:
        return self._followed.current

    @property
    def service(self) -> EventService:
        return self._configuration.backends.service

    @property
    def backend_id(self) -> str:
        return self._configuration.backends.backend_id

    def backend_id_of(self, scope: Scope) -> str:
        return self._configuration.backends.backend_id_of(scope)

    @property
    def shell_command(self) -> Sequence[str]:
        return self._configuration.backends.shell_command

    def pending(self, name: str | None = None) -> Sequence[Event]:
        return self.events.pending() if name is None else self.events.named(name)

    def pending_event(self, key: EventKey) -> Event | None:
        return self.events.get(key)

    def refresh(self) -> None:
        self._logins.ask_again()
        self.events.restart()
        self.refresh_lenses()

    def document_uri(self, event: Event) -> str | None:
        return prompt_uri(event, self.backend_id) if self.features.reads_content else None

    async def initialized(self) -> None:
        """Read the editor's settings, if it has any, and ask to be notified when they change."""
        if self.features.registers_configuration:
            # An editor may never respond, and nevertheless have settings.
            self.background.start(self.client.register_configuration(SECTION))
        if self.features.sends_configuration:
            await self.configure(await self.client.configuration(SECTION))
        else:
            self._show_problems()

    async def configuration_changed(self, settings: object) -> None:
        """Apply changed settings; an editor that sends none is asked for them."""
        if settings is None and self.features.sends_configuration:
            settings = await self.client.configuration(SECTION)
        await self.configure(settings)

    async def configure(self, value: object) -> None:
        """Apply settings that the editor sent; of those that arrive meanwhile, only the last."""
        self._unapplied = [value]
        if self._configuring:
            return
        self._configuring = True
        try:
            while self._unapplied:
                await self._apply(self._unapplied.pop())
        finally:
            self._configuring = False

    def prompt_shown(self, uri: str, name: str) -> None:
        """Refresh the document of an event from now on when the event changes."""
        self._prompts[uri] = name

    def refresh_lenses(self) -> None:
        """Ask the editor to request the code lenses again, if it supports that."""
        if self.features.refreshes_lenses:
            self._refreshes.send(LENSES, self.client.refresh_lenses)

    def describe(self) -> str:
        """Return a line about the state, for the trace."""
        state, count = self.events.state.phase, len(self.events.pending())
        return f"events: {state}, {count} pending; open documents: {len(self.documents.opened)}"

    async def close(self) -> None:
        """Stop all work."""
        self._backend_progress.close()
        await self._progress.close()
        await self._asking.close()
        await self.commands.close()
        await self.history.close()
        await self.background.close()

    async def _apply(self, value: object) -> None:
        before, service = self.settings, self.service
        events, history = self.events, self.history
        self._configuration.update(value)
        self._show_problems()
        if self.service is not service or self.settings.runs != before.runs:
            self._followed.follow()
            self._show_events()
        if self.service is not service:
            self._logins.ask_again()
            # The folder that is open may have selected it, as Emacs's `.dir-locals.el` can.
            self.client.show(texts.selected_backend(self.backend_id))
        if self.settings != before:
            self._asking.on_change()
            self.refresh_lenses()
        if self.events is not events:
            await events.close()
            await history.close()

    def _show_events(self) -> None:
        """Show the history and the state of the events that are followed now."""
        self.history = History(self.service, lambda run: self.settings.shows_run(run))
        self._backend_progress.close()
        self._backend_progress = BackendProgress(self, self._progress, self._logins)
        self._backend_progress.on_state(self.events.state)

    def _show_problems(self) -> None:
        problems = self._configuration.problems()
        if problems:
            self.client.show("\n".join(["flyte-sidecar settings:", *problems]), "warning")

    # Called by `FollowedEvents`:

    def events_changed(self, names: set[str]) -> None:
        self._asking.on_change()
        self.history.invalidate(names)
        for uri, name in self._prompts.items():
            if name in names:
                self._refreshes.send(uri, partial(self.client.refresh_content, uri))
        if any(document.may_declare(names) for document in self.documents.opened.values()):
            self.refresh_lenses()

    def event_waits(self, event: Event) -> None:
        self._asking.on_waiting(event)

    def state_changed(self, state: BackendState) -> None:
        self._backend_progress.on_state(state)
        self.refresh_lenses()
