"""Past one machine: the monitor and the analysis on Spark and Kafka."""
