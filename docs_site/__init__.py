"""The documentation site: `python -m docs_site`, or `make docs`.

pages        writes Markdown that GitHub renders as the pages that Zensical reads
assets       what the pages load besides
overrides    templates that replace those of the theme
package.json the script that draws diagrams

Zensical, configured by zensical.toml, makes the site from the pages.
"""
