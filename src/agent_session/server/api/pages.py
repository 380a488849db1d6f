"""Pages of a list: {items, limit, offset, total}, by either way of asking for them."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.errors import UsageError
from agent_session.host.clock import aware

T = TypeVar("T")
LARGEST = 1000


class Page(BaseModel, Generic[T]):
    """Some of a list, and how long it is."""

    items: list[T]
    limit: int
    offset: int
    total: int


class Wanted(BaseModel):
    """Which part of a list: currentPage and pageSize, or limit and offset."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    current_page: int = Field(default=1, ge=1, le=1_000_000)
    page_size: int | None = Field(default=None, ge=1, le=LARGEST)
    limit: int | None = Field(default=None, ge=1, le=LARGEST)
    offset: int | None = Field(default=None, ge=0, le=1_000_000_000)
    order_by: str = Field(default="created_at", max_length=50)
    sort_order: Literal["asc", "desc"] | None = None
    search_string: str | None = Field(default=None, max_length=1000)
    search_ignore_case: bool = False
    ids: list[uuid.UUID] | None = Field(default=None, max_length=LARGEST)
    created_before: datetime | None = None
    created_after: datetime | None = None
    updated_before: datetime | None = None
    updated_after: datetime | None = None


Asked = Annotated[Wanted, Query()]


async def page(
    session: AsyncSession,
    query: Select[Any],
    model: Any,
    wanted: Wanted,
    *,
    searched: Any,
    size: int,
    order: str,
) -> tuple[list[Any], int, int, int]:
    """Return the rows of a page, its limit and offset, and how many rows there are. UsageError."""
    column = model.__table__.columns.get(wanted.order_by)
    if column is None:
        raise UsageError(f"there is no order by {wanted.order_by!r}")
    limit = wanted.limit or wanted.page_size or size
    offset = wanted.offset if wanted.offset is not None else (wanted.current_page - 1) * limit
    query = query.where(*_conditions(model, wanted, searched))
    total = await session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    descending = (wanted.sort_order or order) == "desc"
    places = (column.desc(), model.id.desc()) if descending else (column.asc(), model.id.asc())
    rows = (await session.scalars(query.order_by(*places).limit(limit).offset(offset))).all()
    return list(rows), limit, offset, total


def _conditions(model: Any, wanted: Wanted, searched: Any) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.search_string:
        contains = searched.icontains if wanted.search_ignore_case else searched.contains
        found.append(contains(wanted.search_string, autoescape=True))
    if wanted.ids is not None:
        found.append(model.id.in_(wanted.ids))
    for column, before, after in (
        (model.created_at, wanted.created_before, wanted.created_after),
        (model.updated_at, wanted.updated_before, wanted.updated_after),
    ):
        if before is not None:
            found.append(column < aware(before))
        if after is not None:
            found.append(column > aware(after))
    return found
