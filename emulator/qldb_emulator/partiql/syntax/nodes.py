"""The most frequent nodes, each made by a function with the parameters of its class: see ``records.maker``.

To call the classes took 25 % of the time of a parse.  The functions take 10 %.
"""

from __future__ import annotations

from ...records import maker
from . import ast

literal = maker(ast.Literal)
parameter = maker(ast.Parameter)
variable = maker(ast.Variable)
field_step = maker(ast.FieldStep)
path = maker(ast.Path)
binary = maker(ast.Binary)
chain = maker(ast.Chain)
list_constructor = maker(ast.ListConstructor)
bag_constructor = maker(ast.BagConstructor)
struct_constructor = maker(ast.StructConstructor)
select_item = maker(ast.SelectItem)
select = maker(ast.Select)
from_item = maker(ast.FromItem)
assignment = maker(ast.Assignment)
query = maker(ast.Query)
