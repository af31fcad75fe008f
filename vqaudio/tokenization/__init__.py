"""Corpora of sound to tokens on disk: shard by shard, here or on a cluster, from where an interrupted run stopped."""
