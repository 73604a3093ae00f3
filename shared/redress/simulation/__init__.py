"""A desk in virtual time: the real core, timers, counting, duties, routing and notification rules, without servers.

``World`` runs commands and lets time pass; ``scenario`` reads what a scenario and a desk file say; ``entries`` is what
a world has to tell, in the order in which it happened.

    world = World(desk_of(find_pack("19"), DeskFile(answers={"tell_it.within": "30 min"})))
    world.run(read_scenario(Path("scenario.jsonl").read_bytes()).commands, until)
    world.work(until, role="service_centre")
"""

from redress.simulation.desk_file import DeskFile, desk_of, read_desk
from redress.simulation.entries import Entry, Happened, Refused, Told
from redress.simulation.reading import ScenarioRefused
from redress.simulation.scenario import Scenario, read_scenario
from redress.simulation.world import World

__all__ = [
    "DeskFile",
    "Entry",
    "Happened",
    "Refused",
    "Scenario",
    "ScenarioRefused",
    "Told",
    "World",
    "desk_of",
    "read_desk",
    "read_scenario",
]
