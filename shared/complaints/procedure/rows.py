"""From rows to the values that the engine executes: every section but steps, clocks and the desk, a method each."""

from __future__ import annotations

from complaints.procedure import model as m
from complaints.procedure.building import LENGTHS, Builder, alternatives, english
from complaints.procedure.document import Row
from complaints.procedure.model import NOBODY
from complaints.procedure.naming import choices_of, takes_fact
from complaints.procedure.places import plain
from complaints.procedure.shapes import is_silence


class Sections(Builder):
    """One method a section; each gives its rows in file order."""

    def rows(self, section: str) -> list[Row]:
        """The rows of a section."""
        return list(self.naming.root.get(section, []))

    def roles(self) -> dict[str, m.Role]:
        return {
            row["role"]: m.Role(
                name=row["role"],
                title=row["title"],
                en=row.get("en"),
                clause=row.clause,
                tier=row.get("tier"),
                outside=row.get("outside", False),
            )
            for row in self.rows("roles")
        }

    def facts(self) -> dict[str, m.Fact]:
        made: dict[str, m.Fact] = {}
        for row in self.rows("facts"):
            with self.refusals.collect():
                made[row["fact"]] = self.fact(row)
        return made

    def fact(self, row: Row) -> m.Fact:
        """A fact: said, or derived by ``means`` or from two instants."""
        name, kind = row["fact"], row.get("type", "yes-no")
        item = row.get("of")
        span = None
        if NOBODY in alternatives(row.get("by")) and (row["by"] != NOBODY or "starts-as" not in row):
            raise row.refusal("by", f"{name}: what nobody sets has a value that it starts as, and that is all")
        if "means" in row and ("within" in row or "type" in row):
            raise row.refusal("means", f"{name} is a condition with a name: yes or no, and nothing else")
        if any(key in row for key in ("within", "from", "until")):
            for key in ("within", "from", "until"):
                if key not in row:
                    raise row.refusal("fact", f"{name} compares two instants: it needs within, from and until")
            for key in ("from", "until"):
                if self.naming.names.types.get(row[key]) != "time":
                    told = f"{name} compares two instants: {key} is a fact of type time, or received"
                    raise row.refusal(key, told)
                self.instant(row, key, row[key], item=item)
            if kind != "yes-no":
                raise row.refusal("type", f"{name} compares two instants: it is yes or no")
            span = (self.limit(row, "within", item=item), row["from"], row["until"])
        tree = self.tree(row)
        sort: m.FactKind = "means" if "means" in row else "span" if span else "choice"
        if sort == "choice" and isinstance(kind, str) and not is_silence(kind):
            sort = kind  # type: ignore[assignment] # the shape admits text, yes-no, number and time only
        en, en_title = english(row)
        return m.Fact(
            name=name,
            clause=row.clause,
            kind=sort,
            title=row.get("title"),
            en=en,
            says=row.get("says"),
            note=row.get("note"),
            choices=choices_of(row),
            under=row.get("under"),
            tree=tree,
            by=alternatives(row.get("by")),
            personal=row.get("personal", False),
            starts_as=self.starts_as(row, name),
            of=item,
            means=self.condition(row, "means", item=item),
            span=span,
            en_title=en_title,
        )

    def tree(self, row: Row) -> dict[str, tuple[str, ...]]:
        """Choices by the parent's value."""
        kind, parent = plain(row.get("type")), row.get("under")
        if not isinstance(kind, dict):
            if parent is not None and not is_silence(kind):
                raise row.refusal("under", f"{row['fact']}: with 'under' the type is {{parent value: [children]}}")
            return {}
        if parent is None:
            raise row.refusal("type", "choices by parent need 'under', the fact that is the parent")
        values = self.naming.names.values.get(parent, ())
        for value in kind:
            if value not in values:
                raise row.refusal("type", f"{parent} is never {value}; it is one of {', '.join(map(str, values))}")
        return {value: tuple(children) for value, children in kind.items()}

    def intake(self) -> tuple[m.IntakeRow, ...]:
        made = []
        for row in self.rows("intake"):
            with self.refusals.collect():
                self.refuse_unsaid(row, "asks")
                made.append(
                    m.IntakeRow(
                        clause=row.clause,
                        channels=tuple(row.get("channels", ())),
                        by=alternatives(row.get("by")),
                        asks=tuple(row.get("asks", ())),
                        when=self.condition(row, "when"),
                        case=row.get("case", "complaint"),
                        says=row.get("says"),
                        en=english(row)[0],
                    )
                )
        return tuple(made)

    def refuse_unsaid(self, row: Row, key: str) -> None:
        """Refuses to ask for what nobody may say."""
        unsaid = {fact["fact"] for fact in self.rows("facts") if fact.get("by") == NOBODY}
        for n, name in enumerate(row.get(key, ())):
            if name in unsaid:
                raise row.refusal(key, f"nobody sets {name}: it cannot be asked for", item=n)

    def tables(self) -> tuple[m.Table, ...]:
        made = []
        for row in self.rows("decisions"):
            with self.refusals.collect():
                made.append(self.table(row))
        return tuple(made)

    def table(self, row: Row) -> m.Table:
        """A decision table."""
        of, rows = tuple(row.get("of", ())), []
        if "falls" in row and not of:
            raise row.refusal("falls", f"{row['decide']}: to fall, its values need an order: of")
        for n, inner in enumerate(row["rows"]):
            with self.refusals.collect():
                rows.append(self.table_row(row, inner, last=n == len(row["rows"]) - 1))
        return m.Table(
            decide=row["decide"],
            of=of,
            falls=row.get("falls", "yes"),
            case=row.get("case", "complaint"),
            judged_by=self.judges(row),
            rows=tuple(rows),
        )

    @staticmethod
    def judges(row: Row) -> tuple[str, ...]:
        """Who may judge a table."""
        judges = alternatives(row.get("judged-by", "owner | holder | receiver"))
        if NOBODY in judges and len(judges) > 1:
            raise row.refusal("judged-by", f"{row['decide']}: either nobody judges it, or somebody does")
        return () if NOBODY in judges else judges

    def table_row(self, table: Row, row: Row, *, last: bool) -> m.Row:
        """One row of a table."""
        name, value, of = table["decide"], row["set"], table.get("of", ())
        fact = value.removeprefix("fact ") if takes_fact(value) else None
        if "when" not in row and not last:
            told = (
                f"{name}: a row without condition is the remainder and stands last; the rows after it are never reached"
            )
            raise row.refusal("set", told)
        if fact is not None:
            if fact not in self.naming.kinds["fact"]:
                raise row.refusal("set", f"no such fact: {fact}")
            if self.naming.names.types[fact] != self.naming.names.types[name]:
                raise row.refusal("set", f"{name} cannot take {fact}: one is a number and the other a word")
            if fact in self.naming.scope:
                raise row.refusal("set", f"{fact} belongs to each {self.naming.scope[fact]}")
        elif of and value not in of:
            raise row.refusal("set", f"{name}: {value} is not in 'of'")
        return m.Row(
            set=None if fact else value,
            fact=fact,
            when=self.condition(row, "when"),
            clause=row.clause,
            place=row.place,
            says=row.get("says"),
            en=english(row)[0],
            otherwise=self.otherwise(row, "when"),
        )

    def holds(self) -> tuple[m.Hold, ...]:
        made = []
        for row in self.rows("holds"):
            with self.refusals.collect():
                made.append(
                    m.Hold(
                        name=row["hold"],
                        clause=row.clause,
                        says=row.get("says"),
                        en=english(row)[0],
                        when=self.condition(row, "when"),
                        until=self.must(row, "until"),
                        forbids=tuple(row["forbids"]),
                    )
                )
        return tuple(made)

    def access(self) -> tuple[m.Bar, ...]:
        made = []
        for row in self.rows("access"):
            with self.refusals.collect():
                if ("hide" in row) != ("from" in row):
                    raise row.refusal("bar", "hide names facts and from the roles: one needs the other")
                if not ("may" in row or "hide" in row):
                    raise row.refusal("bar", f"{row['bar']} says neither which steps (may) nor which facts (hide)")
                if "may" in row and not any(key in row for key in ("only", "never", "when")):
                    raise row.refusal("may", f"{row['bar']} bars everybody always; say only, never or when")
                made.append(
                    m.Bar(
                        name=row["bar"],
                        clause=row.clause,
                        says=row.get("says"),
                        en=english(row)[0],
                        when=self.condition(row, "when", names=self.naming.actor),
                        only=tuple(row["only"]) if "only" in row else None,
                        never=tuple(row["never"]) if "never" in row else None,
                        may=tuple(row.get("may", ())),
                        hide=tuple(row.get("hide", ())),
                        from_=tuple(row.get("from", ())),
                    )
                )
        return tuple(made)

    def forms(self) -> dict[str, m.Form]:
        made = {}
        for row in self.rows("forms"):
            en, en_title = english(row)
            fields = row["fields"]
            made[row["form"]] = m.Form(
                name=row["form"],
                title=row["title"],
                en=en,
                clause=row.clause,
                fields=None if is_silence(fields) else tuple(fields),
                number=row.get("number"),
                register=row.get("register", False),
                says=row.get("says"),
                en_title=en_title,
            )
        return made

    def kinds(self, section: str, key: str, by: str) -> dict[str, m.Kind]:
        """``cases`` or ``items``."""
        made = {}
        for row in self.rows(section):
            en, en_title = english(row)
            made[row[key]] = m.Kind(
                name=row[key],
                title=row["title"],
                en=en,
                clause=row.clause,
                by=alternatives(row[by]),
                says=row.get("says"),
                en_title=en_title,
            )
        return made

    def counts(self) -> dict[str, m.Count]:
        made = {}
        for row in (r for r in self.rows("other-cases") if "count" in r):
            with self.refusals.collect():
                limit = self.limit(row, "within") if "within" in row else None
                if limit is not None and limit.kind not in LENGTHS and limit.numbered:
                    raise row.refusal("within", "a window is a length of time: 1 month, 30 days")
                made[row["count"]] = m.Count(
                    name=row["count"],
                    clause=row.clause,
                    same=row["same"],
                    within=limit,
                    of=row["of"],
                    starts_as=self.starts_as(row, row["count"]),
                )
        return made

    def links(self) -> dict[str, m.LinkRule]:
        made = {}
        for row in (r for r in self.rows("other-cases") if "link" in r):
            with self.refusals.collect():
                made[row["link"]] = m.LinkRule(
                    name=row["link"],
                    clause=row.clause,
                    when=self.condition(row, "when"),
                    attaches=row.get("attaches"),
                    to=row.get("to"),
                )
        return made

    def uniques(self) -> dict[str, m.Unique]:
        rows = (r for r in self.rows("other-cases") if "unique" in r)
        return {r["unique"]: m.Unique(name=r["unique"], clause=r.clause, same=r["same"]) for r in rows}

    def retention(self) -> tuple[m.Keep, ...]:
        made = []
        for row in self.rows("retention"):
            with self.refusals.collect():
                limit = self.limit(row, "for")
                if limit.kind not in LENGTHS and limit.numbered:
                    raise row.refusal("for", "a time of keeping is a length: 2 years")
                made.append(
                    m.Keep(
                        name=row["keep"],
                        clause=row.clause,
                        for_=limit,
                        by=row.get("by"),
                        from_=self.start(row),
                        case=row.get("case"),
                        when=self.condition(row, "when"),
                    )
                )
        return tuple(made)

    def guidance(self) -> dict[str, tuple[str, ...]]:
        made: dict[str, tuple[str, ...]] = {}
        for row in self.rows("guidance"):
            with self.refusals.collect():
                at = row["at"]
                if at not in {"pack", "intake", "decisions", *self.naming.steps}:
                    raise row.refusal("at", f"nothing called {at} to show it at")
                made[at] = (*made.get(at, ()), row["says"])
        return made
