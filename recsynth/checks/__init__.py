"""Checks: rules on finished tables, judged each night; a night that breaks one that holds is not published."""
