# The image of Berth: one static executable and nothing else, so it builds
# without a network. "make image" builds the executable first.
FROM scratch
COPY bin/berth /berth
ENV BERTH_DATA_DIR=/data BERTH_LISTEN=0.0.0.0:8484
VOLUME /data
EXPOSE 8484
ENTRYPOINT ["/berth"]
CMD ["serve"]
