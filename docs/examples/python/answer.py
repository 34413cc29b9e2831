from flyte_sidecar import Event

event = Event.get("deploy", run_name="r1")
if event is None:
    raise SystemExit("there is no event deploy of run r1: create it first")
print(event.name, event.phase, event.expected_type)
event.signal(True)
print(event.phase, event.wait())
