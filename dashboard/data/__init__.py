"""What pages and report read: cached tables, columns and their roles, scans."""
