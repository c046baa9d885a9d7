"""Queries as pure data: columns, expressions, predicates, orders and the statements made of them."""
