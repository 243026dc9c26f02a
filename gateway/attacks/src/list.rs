//! The one list of what is tried.

/// Hands the names of all attacks to a macro, by the file that each stands in: `each_attack!(make)` is `make! { file { name, … } … }`.
///
/// What a name says is the claim, after the rows of ATTACKS.md that it is about.
#[macro_export]
macro_rules! each_attack {
    ($make:ident) => {
        $make! {
            answers {
                r1_r3_r15_an_echo_is_covered_in_every_form_and_type,
                r2_basic_is_covered_whole_and_in_part,
                r4_r5_coded_answers_are_not_asked_for_and_those_that_come_all_the_same_are_withheld,
                r7_a_secret_cut_anywhere_is_covered,
                r7_a_secret_in_whose_midst_the_upstream_pauses_is_covered,
                r8_each_event_of_a_stream_is_delivered_before_the_next_is_sent,
                r9_r10_r11_heads_trailers_and_early_hints_are_covered_or_dropped,
                r13_parts_of_a_body_are_not_asked_for_and_are_withheld,
                r16_refusals_repeat_nothing_of_the_request_and_errors_of_the_upstream_are_covered,
                r22_what_has_no_secret_comes_byte_for_byte_with_its_length_and_tag,
                r24_another_keys_value_and_an_earlier_version_are_covered_too,
                r24_a_key_that_is_used_while_a_stream_is_open_is_covered_in_the_stream,
                r18_r23_the_log_says_once_for_each_answer_that_a_value_was_in_it,
                r18_a_value_too_short_to_be_kept_out_of_answers_is_not_used,
            }
            asking {
                r25_r21_a_guess_at_a_part_comes_back_as_it_was_right_or_wrong,
                r18_many_guesses_in_one_body_are_looked_through_and_counted_once,
                r17_what_comes_before_a_pause_does_not_depend_on_what_it_ends_like,
                r19_what_is_stored_with_a_placeholder_has_the_placeholder_in_it,
                r20_a_link_with_the_key_in_it_has_a_placeholder_with_which_it_works,
                r23_a_value_that_is_turned_around_or_told_a_character_at_a_time_is_not_covered,
            }
            choice {
                d23_d24_two_keys_for_one_request_are_refused_with_the_choices_until_one_is_named,
                d23_d24_a_key_is_named_by_its_address_and_by_its_placeholder_in_its_place_too,
            }
            control {
                a_gateway_says_whether_it_is_well_and_which_certificate_is_its_own,
                l9_a_gateway_that_cannot_write_its_log_says_that_it_is_not_well,
                s7_a_web_page_is_told_nothing_whichever_way_it_gets_to_the_listener,
            }
            destination {
                the_key_is_put_in_and_the_agent_never_sees_it,
                d1_another_name_in_tls_than_in_connect_is_refused,
                d2_another_host_than_in_connect_is_refused,
                d3_the_name_of_a_keys_host_on_another_hosts_tunnel_gets_no_key,
                d4_an_absolute_target_inside_a_tunnel_is_refused,
                d5_a_host_is_normalised_once_and_sent_in_its_plain_form,
                d8_without_a_name_in_tls_the_requests_host_decides,
                d9_d10_d11_n7_hosts_that_only_look_like_a_keys_are_refused_before_anything_is_asked,
                d12_a_keys_host_is_not_reached_in_the_clear,
                d13_an_upstream_that_cannot_prove_its_name_gets_no_byte_of_http,
                d14_redirects_are_passed_on_and_not_followed,
                d19_an_answer_names_no_way_around_the_gateway,
                n1_n2_private_addresses_in_any_spelling_are_refused,
                n3_a_name_that_is_rebound_is_judged_at_each_connection_and_asked_once_for_it,
                n1_n4_names_that_lead_inside_are_refused_also_if_they_lead_outside_too,
                n7_what_is_refused_is_not_asked_for,
                n5_the_gateway_and_what_else_is_on_this_machine_is_not_reached,
                c5_a_gateway_does_not_believe_its_own_certificates,
                c2_each_gateway_has_an_authority_of_its_own_and_its_certificates_live_a_day,
                n6_other_schemes_are_malformed,
                c1_c4_a_certificate_is_made_for_granted_names_only_and_others_show_their_own,
            }
            floods {
                p9_headers_that_never_end_are_not_collected,
                p9_ten_thousand_headers_are_refused,
                p9_streams_that_are_taken_back_at_once_end_the_connection,
            }
            held {
                r24_a_key_that_nobody_ever_used_is_covered_in_the_answer_to_whom_it_is_granted,
                r24_a_key_that_is_granted_while_a_stream_is_open_is_covered_in_the_stream,
                r24_what_comes_in_the_clear_is_looked_through_like_all_else,
            }
            http2 {
                d6_d18_p9_streams_for_another_host_or_with_the_marks_of_http1_get_nothing,
                p6_p7_a_body_that_only_some_servers_expect_does_not_come_out_of_http2,
                p2_a_target_comes_out_of_http2_as_it_went_in_or_not_at_all,
            }
            limits {
                p16_connections_without_a_credential_make_room_for_those_that_have_one,
                p16_an_upload_that_stalls_after_its_answer_keeps_nobody_else_waiting,
                p17_an_upstream_that_never_comes_to_its_answer_is_cut_off,
            }
            links {
                a14_an_uncredentialed_request_that_is_turned_away_is_told_where_its_host_is_connected,
                a14_what_turned_an_uncredentialed_request_away_may_be_in_any_coding,
                a14_a_gateway_without_a_console_gives_no_links_and_changes_no_answer,
                a14_s8_an_agent_that_may_not_is_told_where_that_is_managed_whether_the_key_exists_or_not,
            }
            live {
                s1_no_wrong_and_revoked_credentials_have_one_answer,
                s2_the_proxy_credential_never_goes_upstream,
                s3_a_revoked_agents_open_streams_and_tunnels_are_cut,
                s3_an_agent_that_is_revoked_while_its_tunnel_is_dialled_gets_none,
                s4_what_is_open_is_cut_when_grants_are_too_old_and_placeholders_outlive_it,
                s3_an_excluded_key_and_a_new_version_cut_what_uses_the_old_one,
                s3_a_change_that_is_about_something_else_cuts_nothing,
                s4_grants_that_are_too_old_are_503,
                s5_two_agents_share_no_connection_no_ticket_and_no_cookie,
                l6_two_agents_and_a_client_that_has_it_already_each_ask_the_upstream,
                s8_what_an_agent_may_not_use_looks_like_what_is_not_there,
                a_rule_that_wants_an_approval_is_refused_until_somebody_can_be_asked,
                a_rules_limit_is_429_with_the_time_to_wait,
                l6_nothing_is_cached,
                l9_the_record_is_there_before_the_answer,
                l9_a_request_whose_agent_does_not_wait_is_in_the_log,
                l9_what_cannot_be_recorded_is_not_sent,
                l1_strangers_cannot_fill_the_log_and_no_password_is_in_it,
                a_gateway_that_ends_finishes_what_is_under_way_and_takes_nothing_more,
            }
            minting {
                v5_paths_that_make_credentials_are_refused_however_they_are_written,
                v6_what_shows_secrets_is_refused_until_the_rule_names_it,
            }
            placeholders {
                h1_a_placeholder_beside_its_place_goes_on_as_it_is,
                h2_a_placeholder_that_stands_twice_is_refused,
                h3_what_is_only_like_a_placeholder_is_never_replaced_in_part,
                h4_h6_d22_a_placeholder_that_is_not_this_keys_is_refused_and_whose_it_is_does_not_show,
                h5_a_million_placeholders_are_a_body_like_any_other,
                h7_a_value_with_a_placeholder_in_it_is_not_looked_through_for_placeholders,
                p3_a_parameter_of_the_keys_name_is_there_once_whatever_the_agent_writes,
            }
            protocols {
                l8_r10_http2_on_both_sides_with_trailers_and_a_key_that_no_table_keeps,
                an_answer_ends_with_its_last_piece_and_one_without_a_body_with_its_head,
                a_hundred_streams_side_by_side_share_one_connection_to_the_upstream,
                p15_trailers_of_a_request_go_no_further_than_the_gateway,
                an_agents_next_tunnel_takes_the_connection_that_an_ended_one_left,
                http2_in_front_of_http1_and_the_reverse,
                r7_a_secret_in_whose_midst_an_http2_upstream_pauses_is_covered,
                a_message_of_grpc_is_delivered_before_the_next_is_sent,
                an_agent_that_waits_for_100_continue_gets_it_from_whoever_takes_the_body,
                r4_a_coded_answer_is_read_covered_and_given_in_plain_even_if_it_says_that_its_coding_ends_here,
                r7_a_secret_cut_anywhere_between_frames_is_covered,
            }
            shapes {
                p6_p7_p8_smuggling_shapes_are_400_and_close,
                p7_odd_frames_of_a_chunked_body_end_request_and_connection,
                p1_p2_a_target_arrives_as_it_was_sent_or_not_at_all,
                p4_r12_b6_methods_that_show_the_request_or_lead_elsewhere_are_405,
                p10_pipelined_requests_are_judged_alone_and_answered_in_order,
                p11_p12_the_keys_header_is_there_exactly_once_whatever_the_agent_sends,
                p14_d7_s2_headers_of_the_gateway_and_of_proxies_end_there,
                p15_trailers_of_a_request_are_dropped,
                p17_an_upstream_that_answers_in_two_ways_is_cut_off_and_its_connection_never_used_again,
                p5_a_batch_or_a_mutation_is_no_way_around_a_rule_that_only_reads,
            }
            ways {
                base_url_mode_serves_a_client_that_knows_no_proxy,
                base_url_mode_has_the_same_checks,
                s2_base_url_mode_takes_the_credential_from_the_place_of_the_key_in_a_target,
                an_absolute_https_target_is_served_as_base_url_mode_is,
                hosts_without_a_key_are_refused_by_default_with_the_way_to_connect_them,
                plain_http_to_a_host_without_a_key_passes_where_egress_is_allowed,
                blind_tunnels_carry_protocols_in_which_the_server_speaks_first,
                a_unix_socket_is_a_way_in_like_any_other,
                a_proxy_of_the_gateways_own_carries_what_is_encrypted_and_no_more,
                upstreams_that_cannot_be_reached_have_codes_of_their_own,
            }
            websocket {
                r14_websocket_messages_pass_both_ways_and_the_key_does_not,
                p15_what_is_no_handshake_opens_nothing,
                s3_a_revoked_agents_websocket_is_cut,
                s4_a_websocket_is_cut_when_grants_are_too_old,
                p15_what_is_sent_before_the_handshake_is_answered_waits_for_it,
            }
            alone {
                p16_a_silent_answer_a_silent_tunnel_and_a_peer_that_does_not_close_end_by_the_clock,
                p10_p16_a_tunnel_that_rested_goes_on_where_it_was_and_ends_like_any_other,
                p10_a_request_behind_an_answer_that_is_not_read_is_answered_in_its_turn,
                p18_an_upload_may_take_longer_than_an_answer,
                s3_a_revocation_waits_for_no_disk_and_no_resolver,
                p18_bodies_of_any_size_are_streamed_in_bounded_memory_to_whoever_reads_slowly_too,
                r6_a_value_far_into_a_body_and_in_its_last_bytes_is_covered_in_bounded_memory,
                p16_an_answer_that_unpacks_to_a_thousand_times_its_size_is_streamed,
                p16_heads_and_bodies_that_never_end_are_cut_off,
                p16_an_agent_that_takes_all_it_can_get_leaves_others_their_share,
            }
        }
    };
}
