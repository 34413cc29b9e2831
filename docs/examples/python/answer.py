from flyte_sidecar import Event

event = Event.get("deploy", run_name="r1")
print(event.name, event.phase, event.expected_type)
event.signal(True)
print(event.phase, event.wait())
