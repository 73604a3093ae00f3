"""Turns: one after the other, whoever gives up."""

from __future__ import annotations

import asyncio

import pytest

from intake.turns import Turns


async def test_those_who_come_for_one_name_go_one_after_the_other_in_their_order() -> None:
    turns, seen = Turns(), []

    async def go(number: int) -> None:
        async with turns.turn("a"):
            seen.append(f"{number} in")
            await asyncio.sleep(0)
            seen.append(f"{number} out")

    await asyncio.gather(*(go(number) for number in range(3)))
    assert seen == ["0 in", "0 out", "1 in", "1 out", "2 in", "2 out"]
    await asyncio.sleep(0)
    assert not turns._waiting


async def test_another_name_waits_for_nobody() -> None:
    turns = Turns()
    async with turns.turn("a"), turns.turn("b"):
        pass


async def test_whoever_gives_up_waiting_lets_nobody_in_before_the_one_ahead_has_left() -> None:
    turns, inside = Turns(), []

    async def go(name: str, leave: asyncio.Event) -> None:
        async with turns.turn("a"):
            inside.append(name)
            await leave.wait()
            inside.remove(name)

    leave = asyncio.Event()
    first = asyncio.create_task(go("first", leave))
    await asyncio.sleep(0)
    second = asyncio.create_task(go("second", leave))
    third = asyncio.create_task(go("third", leave))
    await asyncio.sleep(0)
    second.cancel()
    third.cancel()
    await asyncio.wait({second, third})
    fourth = asyncio.create_task(go("fourth", leave))
    await asyncio.sleep(0.01)
    assert inside == ["first"]
    leave.set()
    await asyncio.gather(first, fourth)
    await asyncio.sleep(0)
    assert not turns._waiting


async def test_whoever_gives_up_as_he_is_called_passes_the_turn_on() -> None:
    turns, seen = Turns(), []

    async def go(name: str) -> None:
        async with turns.turn("a"):
            seen.append(name)

    async with turns.turn("a"):
        called, next_one = asyncio.create_task(go("called")), asyncio.create_task(go("next"))
        await asyncio.sleep(0)
    called.cancel()
    await asyncio.wait({called, next_one}, timeout=5)
    assert seen == ["next"]
    assert called.cancelled()
    assert not turns._waiting


async def test_an_error_inside_ends_the_turn() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="no"):
        async with turns.turn("a"):
            raise ValueError("no")
    async with turns.turn("a"):
        pass
