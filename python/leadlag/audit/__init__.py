"""Audits of the raw sources and of the marts with Great Expectations: suites, results, site, publishing."""
