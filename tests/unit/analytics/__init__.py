"""Analytics: tables, periods and what is made of counts."""
