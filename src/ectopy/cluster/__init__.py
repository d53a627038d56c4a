"""Beyond one machine: archives and live streams on Spark and Kafka."""
