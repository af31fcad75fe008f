"""Files of tables that are read and written: CSV, Parquet, NPY and NPZ."""
