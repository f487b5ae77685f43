"""The film finder of lesson 25: routes from a query to the films, the search under filters, and its page."""
